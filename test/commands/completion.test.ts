import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { completionScript, completions } from '../../scripts/commands/completion.ts';
import * as all from '../../scripts/commands/index.ts';
import { temporaryFolder } from '../support/fakes.ts';
import { needsTerminal, onTerminal } from '../support/terminal.ts';
import { root } from '../support/tracked-files.ts';

const top = root.replace(/\/$/, '');
const services = ['api-node', 'core-go'];
const elsewhere = await temporaryFolder();
writeFileSync(join(elsewhere, 'package.json'), '{}');
const file = join(elsewhere, 'completion.bash');
writeFileSync(file, completionScript('bash', top));

const names = all.commands.map(({ name }) => name);
for (const [line, found] of [
  ['npm run ', names],
  ['npm run -s stat', ['status']],
  ['platform.mjs ', names],
  ['./platform.mjs ro', ['rollback']],
  ['npm run down ', ['--']],
  ['npm run down -- --p', ['--purge']],
  ['platform.mjs down --p', ['--purge']],
  ['npm run passwords -- a', ['argocd']],
  ['npm run logs -- api-node --pre', ['--previous']],
  ['npm run promote -- core', ['core-go']],
  ['npm run promote -- core-go core', []],
  ['npm run up -- --ignore-checks c', ['cgroup']],
  ['platform.mjs support --o', ['--output']],
  ['npm run test:e2e ', []],
] as const)
  test(`"${line}" can end with ${found.length === names.length ? 'any command' : found.join(' or ') || 'nothing'}`, async () =>
    assert.deepEqual(await completions(line, services, all), found));

/** What bash offers for the last of these words. */
function offered(words: string[], cwd = top, sourced = 1): string[] {
  const script = [
    '_before() { COMPREPLY=(of-npm); }; complete -o default -F _before npm',
    ...Array<string>(sourced).fill(`source "${file}"`),
    `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}`,
    // In this shell, not in a child of it: the function sets a variable.
    `called=$(complete -p npm | sed 's/.* -F \\([^ ]*\\) .*/\\1/')`,
    `$called ${words[0]}; printf '%s\\n' "\${COMPREPLY[@]}"`,
  ];
  const ran = spawnSync('bash', ['--norc', '-c', script.join('\n')], { cwd, encoding: 'utf8' });
  assert.equal(ran.stderr, '');
  return ran.stdout.split('\n').filter(Boolean);
}

test('bash asks platform.mjs, also in a folder below and for platform.mjs itself', () => {
  assert.deepEqual(offered(['npm', 'run', 'stat'], join(top, 'helm')), ['status']);
  assert.deepEqual(offered(['npm', 'run', 'logs', '--', 'core-']), ['core-go']);
  assert.deepEqual(offered(['./platform.mjs', 'stat'], elsewhere), ['status']);
});

test("the rest is left to npm's own completion, and sourcing twice is no loop", () => {
  assert.deepEqual(offered(['npm', 'run', ''], elsewhere), ['of-npm']);
  assert.deepEqual(offered(['npm', 'inst']), ['of-npm']);
  assert.deepEqual(offered(['npm', 'inst'], top, 2), ['of-npm']);
  assert.deepEqual(offered(['npm', 'run', 'stat'], top, 2), ['status']);
});

test('bash itself completes it when Tab is pressed', needsTerminal, async () => {
  const { screen } = await onTerminal(
    'bash --norc --noprofile',
    [
      ['bash-', `PS1='ready> '; source "${file}"\r`],
      ['ready> ', 'npm() { echo "called with: $*"; }\r'],
      ['ready> ', 'npm run stat\t-\t --js\t\r'],
      ['called with: ', 'exit\r'],
    ],
    { cwd: top, env: { ...process.env, TERM: 'dumb' } },
  );
  assert.match(screen, /called with: run status -- --json/);
});
