// What a command prints arrives whole, whoever reads it and however slowly; or the command fails and says so.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { compiled } from '../support/compiled.ts';
import { temporaryFolder } from '../support/fakes.ts';
import { git } from '../support/repository.ts';

const full = existsSync('/dev/full') ? false : 'needs /dev/full';
/** A checkout of next to nothing, in which a rule finds much. */
const top = await temporaryFolder();
for (const name of ['docs', 'observability']) mkdirSync(join(top, name));
writeFileSync(join(top, 'docs', 'troubleshooting.md'), '\n### disk-full\n');
writeFileSync(join(top, 'observability', 'leaks.txt'), `ghp_${'0'.repeat(36)}\n`.repeat(8000));
git(top, 'init', '--quiet');
const program = compiled(`import { main } from './scripts/cli.ts';\nawait main('/nowhere');`);
const env = { PATH: `${process.env.PATH}`, HOME: top, CLUSTER_NAME: 'output-test', PLATFORM: program };
/** Reads on only once the writer has filled the pipe. */
const slowly = '{ IFS= read -rN1 first; sleep 0.5; printf %s "$first"; cat; }';

/** A line of bash, in which `platform` is the program; hands back what came through the pipe, and its own exit code. */
function typed(line: string) {
  const script = `platform() { node "$PLATFORM" "$@"; }; ${line}; echo "code \${PIPESTATUS[0]}" >&2`;
  const { stdout, stderr } = spawnSync('bash', ['-c', script], { cwd: top, encoding: 'utf8', maxBuffer: 2 ** 27, env });
  return { stdout, stderr, code: Number(stderr.match(/code (\d+)\n$/)?.[1]) };
}

describe('output', () => {
  it('of more than a pipe holds reaches a slow reader whole, with the exit code of the command', () => {
    const { stdout, code } = typed(`platform validate policy --json | ${slowly}`);
    assert(stdout.length > 2 ** 20, `${stdout.length} bytes`);
    const { checks } = JSON.parse(stdout) as { checks: { findings: unknown[] }[] };
    assert((checks[0]?.findings.length ?? 0) >= 8000);
    assert.equal(code, 1);
  });

  it('on standard error does so, too', () => {
    // An argument holds 128 KiB at most, as a pipe and what Node has in hand do.
    const { stdout, code } = typed(`platform ${'x'.repeat(120_000)} 2>&1 >/dev/null | ${slowly}`);
    assert.match(stdout, /✖ unknown command 'x+'\.\n {2}→ .*\n$/);
    assert(stdout.length > 120_000, `${stdout.length} bytes`);
    assert.equal(code, 2);
  });

  for (const argument of ['--rules', '--help', 'policy --json'])
    it(`that a full disk does not take is a failure: validate ${argument}`, { skip: full }, () => {
      const { stderr, code } = typed(`platform validate ${argument} > /dev/full`);
      assert.equal(code, 1);
      assert.match(stderr, /✖ Standard output could not be written: ENOSPC.*\n {2}→ .*\n {2}docs\/.*#disk-full\n/);
      assert(!/\n +at /.test(stderr), stderr);
    });

  it('that a full disk does not take on standard error is a failure as well', { skip: full }, () => {
    const { code, stdout } = typed('platform support-bundle --without-cluster --output said.log 2> /dev/full | cat');
    assert.match(stdout, /said\.log\n$/);
    assert.equal(code, 1);
  });

  it('that fits a full disk in part is a failure, not a shorter file', () => {
    // bash counts blocks of 1024 bytes; the command that reaches the limit is told EFBIG, as it would be told ENOSPC.
    const line = `(trap '' XFSZ; ulimit -f 1024; platform validate policy --json > cut.json)`;
    const { stderr, code } = typed(line);
    assert.equal(statSync(join(top, 'cut.json')).size, 2 ** 20);
    assert.equal(code, 1);
    assert.match(stderr, /✖ Standard output could not be written: EFBIG/);
  });

  it('that nobody reads any more ends quietly, with the exit code of the command', () => {
    for (const [line, expected] of [
      ['platform validate --rules | true', 0],
      ['platform validate policy --json | head -1', 1],
      ['platform status --wrong 2>&1 >/dev/null | true', 2],
    ] as const) {
      const { stderr, code } = typed(line);
      assert.equal(code, expected, line);
      assert.equal(stderr, `code ${expected}\n`, line);
    }
  });

  it('that nobody reads any more ends what would go on for ever', async () => {
    const line = 'node "$PLATFORM" status --watch --json | head -1; exit $PIPESTATUS';
    const child = spawn('bash', ['-c', line], { cwd: top, env, detached: true, stdio: 'ignore' });
    const deadline = setTimeout(() => process.kill(-(child.pid ?? 0), 'SIGKILL'), 60_000);
    const [code] = await once(child, 'exit');
    clearTimeout(deadline);
    assert.equal(code, 1, 'as a status without a cluster ends');
  });

  it('that goes on and on waits for its reader, and leaves nothing behind of each wait', () => {
    const writer = compiled(`
      import { getEventListeners } from 'node:events';
      import { outputDrained, outputRefused, watchOutput } from './scripts/lib/terminal/output.ts';
      watchOutput();
      const { stdout } = process;
      for (let waits = 0; waits < 20; ) {
        stdout.write('x'.repeat(100_000));
        const drained = outputDrained();
        if (drained) waits += 1;
        await drained;
      }
      const [, ...failing] = stdout.listeners('error');
      console.error([...getEventListeners(outputRefused, 'abort'), ...stdout.listeners('drain'), ...failing].length);`);
    assert.equal(spawnSync(process.execPath, [writer], { encoding: 'utf8', maxBuffer: 2 ** 27 }).stderr, '0\n');
  });
});
