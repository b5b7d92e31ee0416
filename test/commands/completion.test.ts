import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bashCompletion } from '../../scripts/commands/completion.ts';
import { allCommands, commands } from '../../scripts/commands/index.ts';
import { temporaryFolder } from '../support/fakes.ts';
import { needsTerminal, onTerminal } from '../support/terminal.ts';

const root = join(await temporaryFolder(), "Ann's checkout");
const inside = join(root, 'helm', 'core-go');
const elsewhere = await temporaryFolder();
mkdirSync(inside, { recursive: true });
for (const folder of [root, elsewhere]) writeFileSync(join(folder, 'package.json'), '{}');
const services = ['api-node', 'core-go'];
const text = bashCompletion({ usages: await allCommands(), services, root });
const file = join(elsewhere, 'completion.bash');
writeFileSync(file, text);
const before = '_before() { COMPREPLY=(of-npm); }; complete -o default -F _before npm';

/** What bash offers for the last of these words. */
function offered(words: string[], cwd = root, sourced = 1): string[] {
  const script = [
    before,
    ...Array<string>(sourced).fill(`source "${file}"`),
    `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}`,
    // In this shell, not in a child of it: the function sets a variable.
    `called=$(complete -p npm | sed 's/.* -F \\([^ ]*\\) .*/\\1/')`,
    `$called npm; printf '%s\\n' "\${COMPREPLY[@]}"`,
  ];
  const ran = spawnSync('bash', ['--norc', '-c', script.join('\n')], { cwd, encoding: 'utf8' });
  assert.equal(ran.stderr, '');
  return ran.stdout.split('\n').filter(Boolean);
}

test('every command is offered, also behind a flag of npm and in a folder below', () => {
  assert.deepEqual(
    offered(['npm', 'run', '']),
    commands.map(({ name }) => name),
  );
  assert.deepEqual(offered(['npm', 'run', '-s', 'stat'], inside), ['status']);
  assert.deepEqual(offered(['npm', 'run-script', 'ro']), ['rollback']);
});

test('behind a command come the dashes, and behind those its flags, words and services', () => {
  assert.deepEqual(offered(['npm', 'run', 'down', '']), ['--']);
  assert.deepEqual(offered(['npm', 'run', 'down', '--']), ['--']);
  assert.deepEqual(offered(['npm', 'run', 'down', '--', '--p']), ['--purge']);
  assert.deepEqual(offered(['npm', 'run', 'passwords', '--', 'a']), ['argocd']);
  assert.deepEqual(offered(['npm', 'run', 'logs', '--', '']).slice(0, 3), ['api-node', 'core-go', '--follow']);
  assert.deepEqual(offered(['npm', 'run', 'logs', '--', 'api-node', '--pre']), ['--previous']);
  assert.deepEqual(offered(['npm', 'run', 'promote', '--', 'core']), ['core-go']);
  assert.deepEqual(offered(['npm', 'run', 'up', '--', '--ignore-checks', 'c']), ['cgroup']);
  assert.deepEqual(offered(['npm', 'run', 'test:e2e', '']), []);
});

test("the rest is left to npm's own completion, and sourcing twice is no loop", () => {
  assert.deepEqual(offered(['npm', 'run', ''], elsewhere), ['of-npm']);
  assert.deepEqual(offered(['npm', 'inst']), ['of-npm']);
  assert.deepEqual(offered(['npm', 'inst'], root, 2), ['of-npm']);
  assert.deepEqual(offered(['npm', 'run', 'stat'], root, 2), ['status']);
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
    { cwd: root, env: { ...process.env, TERM: 'dumb' } },
  );
  assert.match(screen, /called with: run status -- --json/);
});
