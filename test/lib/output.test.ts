// What a command prints arrives whole, whoever reads it and however slowly; or the command fails and says so.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { lastingFolder } from '../support/fakes.ts';
import { root, trackedFiles } from '../support/tracked-files.ts';

const full = existsSync('/dev/full') ? false : 'needs /dev/full';
const top = lastingFolder();

/** A line of a shell, in the checkout; hands back what came through the pipe, and the exit code of the command itself. */
function typed(line: string) {
  const { stdout, stderr } = spawnSync('bash', ['-c', `${line}; echo "code \${PIPESTATUS[0]}" >&2`], {
    cwd: top,
    encoding: 'utf8',
    maxBuffer: 2 ** 27,
    env: { PATH: `${process.env.PATH}`, HOME: `${process.env.HOME}` },
  });
  return { stdout, stderr, code: Number(stderr.match(/code (\d+)\n$/)?.[1]) };
}

before(() => {
  for (const file of trackedFiles().filter((one) => !/^test\//.test(one)))
    cpSync(join(root, file), join(top, file), { recursive: true, verbatimSymlinks: true });
  symlinkSync(join(root, 'node_modules'), join(top, 'node_modules'));
  writeFileSync(join(top, 'observability', 'leaks.txt'), `ghp_${'0'.repeat(36)}\n`.repeat(8000));
});

describe('output', () => {
  it('of more than a pipe holds reaches a slow reader whole, with the exit code of the command', () => {
    const { stdout, code } = typed('npm run --silent validate -- policy --json | { sleep 2; cat; }');
    assert(stdout.length > 2 ** 20, `${stdout.length} bytes`);
    const { checks } = JSON.parse(stdout) as { checks: { findings: unknown[] }[] };
    assert((checks[0]?.findings.length ?? 0) >= 8000);
    assert.equal(code, 1);
  });

  it('on standard error does so, too', () => {
    // An argument holds 128 KiB at most, as a pipe and what Node has in hand do; the message has it twice.
    const name = 'x'.repeat(120_000);
    const { stdout, code } = typed(
      `npm run --silent support-bundle -- --without-cluster --output ${name} 2>&1 >/dev/null | { sleep 1; cat; }`,
    );
    assert.match(stdout, /✖ .*x could not be written: ENAMETOOLONG.*\n {2}→ .*\n$/);
    assert(stdout.length > 240_000, `${stdout.length} bytes`);
    assert.equal(code, 1);
  });

  for (const argument of ['--rules', '--help', 'policy --json'])
    it(`that a full disk does not take is a failure: validate ${argument}`, { skip: full }, () => {
      const { stderr, code } = typed(`npm run --silent validate -- ${argument} > /dev/full`);
      assert.equal(code, 1);
      assert.match(stderr, /✖ Standard output could not be written: ENOSPC.*\n {2}→ .*\n {2}docs\/.*#disk-full\n/);
      assert(!/\n +at /.test(stderr), stderr);
    });

  it('that a full disk does not take on standard error is a failure as well', { skip: full }, () => {
    const { code, stdout } = typed(
      'npm run --silent support-bundle -- --without-cluster --output said.log 2> /dev/full | cat',
    );
    assert.match(stdout, /said\.log\n$/);
    assert.equal(code, 1);
  });

  it('that fits a full disk in part is a failure, not a shorter file', () => {
    // bash counts blocks of 1024 bytes; the command that reaches the limit is told EFBIG, as it would be told ENOSPC.
    const line = `(trap '' XFSZ; ulimit -f 1024; npm run --silent validate -- policy --json > cut.json)`;
    const { stderr, code } = typed(line);
    assert.equal(statSync(join(top, 'cut.json')).size, 2 ** 20);
    assert.equal(code, 1);
    assert.match(stderr, /✖ Standard output could not be written: EFBIG/);
  });

  it('that nobody reads any more ends quietly, with the exit code of the command', () => {
    for (const [line, expected] of [
      ['npm run --silent validate -- --rules | true', 0],
      ['npm run --silent validate -- policy --json | head -1', 1],
      ['npm run --silent status -- --wrong 2>&1 >/dev/null | true', 2],
    ] as const) {
      const { stderr, code } = typed(line);
      assert.equal(code, expected, line);
      assert.equal(stderr, `code ${expected}\n`, line);
    }
  });

  it('that nobody reads any more ends what would go on for ever', async () => {
    const line = 'npm run --silent status -- --watch --json | head -1; exit $PIPESTATUS';
    const env = { PATH: `${process.env.PATH}`, HOME: `${process.env.HOME}`, CLUSTER_NAME: 'output-test' };
    const child = spawn('bash', ['-c', line], { cwd: top, env, detached: true, stdio: 'ignore' });
    const deadline = setTimeout(() => process.kill(-(child.pid ?? 0), 'SIGKILL'), 60_000);
    const [code] = await once(child, 'exit');
    clearTimeout(deadline);
    assert.equal(code, 1, 'as a status without a cluster ends');
  });
});
