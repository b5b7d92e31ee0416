// That promotions commit what they mean and nothing else, on real repositories.
import assert from 'node:assert/strict';
import { appendFileSync, chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { imageInValues } from '../../scripts/repository/image-values.ts';
import { temporaryFolder } from '../support/fakes.ts';
import { createPlatform, dirt, run, services, subjects, values } from '../support/promotion.ts';
import { commit, git, write } from '../support/repository.ts';
import { sed } from '../support/sed.ts';

const base = await temporaryFolder();
let repositories = 0;
const platform = (inside?: string) => createPlatform(join(base, `clone ${repositories++}`), inside);
const core = 'helm/core-go/values.yaml';
const tagOf = (folder: string, service = 'core-go') => imageInValues(values(folder, service))?.tag;
const head = (folder: string) => git(folder, 'rev-parse', 'HEAD');

test('promote changes one line, commits it alone, and says so', async () => {
  const folder = platform();
  const said = await run(folder, ['promote', 'core-go', '1234567']);
  assert.equal(said.code, 0, said.text);
  assert.match(said.text, /core-go: 1df3b1f → 1234567\nCommitted as [0-9a-f]{7}: chore: promote images 1234567\n/);
  assert.match(said.text, /Nothing follows it for now: .*npm run up/);
  assert.deepEqual(subjects(folder), ['chore: promote images 1234567', 'Start']);
  assert.equal(git(folder, 'show', '--numstat', '--format=%an'), `Test\n\n1\t1\t${core}`);
  assert.match(values(folder, 'core-go'), /\n {2}tag: "1234567"\n/);
  assert.equal(dirt(folder), '');
});

test('a history that Git can not read is a failure, and no empty table', async () => {
  const folder = platform();
  for (const tag of ['a1b2c3d', 'b2c3d4e']) await run(folder, ['promote', 'core-go', tag]);
  const first = git(folder, 'rev-parse', 'HEAD~2');
  rmSync(join(folder, '.git', 'objects', first.slice(0, 2), first.slice(2)));
  for (const flags of [{}, { json: true }]) {
    const said = await run(folder, ['history', 'core-go'], { flags });
    assert.deepEqual([said.code, said.stdout], [1, ''], said.text);
    assert.match(said.text, /git log failed: [\s\S]*git status/);
  }
});

test('promote all is one commit, of those that change', async () => {
  const folder = platform();
  await run(folder, ['promote', 'core-go', 'a1b2c3d']);
  const said = await run(folder, ['promote', 'all', 'a1b2c3d'], { flags: { json: true } });
  const { changes, commit: made } = JSON.parse(said.stdout) as { changes: { service: string }[]; commit: string };
  assert.deepEqual([changes.map(({ service }) => service), made], [['api-node', 'worker-python'], head(folder)]);
  assert.deepEqual(
    services.map((service) => tagOf(folder, service)),
    ['a1b2c3d', 'a1b2c3d', 'a1b2c3d'],
  );
  const again = await run(folder, ['promote', 'all', 'a1b2c3d']);
  assert.equal(again.code, 0);
  assert.match(again.text, /at a1b2c3d already\. Nothing was changed\./);
  assert.equal(head(folder), made);
});

test('what others edit stays theirs: in other files, new or not', async () => {
  const folder = platform();
  appendFileSync(join(folder, 'helm/api-node/values.yaml'), '# mine\n');
  write(folder, 'notes.txt', 'mine\n');
  const before = dirt(folder);
  assert.equal((await run(folder, ['promote', 'core-go', 'a1b2c3d'])).code, 0);
  assert.equal(dirt(folder), before);
  assert.equal(git(folder, 'show', '--name-only', '--format='), core);
});

const refusals: [string, (folder: string) => void, RegExp][] = [
  [
    'staged changes of another file',
    (folder) => {
      write(folder, 'notes.txt', 'mine\n');
      git(folder, 'add', 'notes.txt');
    },
    /There are staged changes, .*: notes\.txt\.\n.*git restore --staged/,
  ],
  [
    'edits of the same file',
    (folder) => appendFileSync(join(folder, core), '# mine\n'),
    /not committed in helm\/core-go\/values\.yaml/,
  ],
  [
    'staged edits of the same file',
    (folder) => {
      appendFileSync(join(folder, core), '# mine\n');
      git(folder, 'add', core);
    },
    /There are staged changes/,
  ],
  [
    'a detached HEAD',
    (folder) => git(folder, 'checkout', '--quiet', '--detach'),
    /HEAD is detached at [0-9a-f]{7}.*\n.*git switch/,
  ],
  ['a merge', (folder) => conflict(folder, 'merge'), /A merge is under way.*\n.*git merge --abort/],
  ['a rebase', (folder) => conflict(folder, 'rebase'), /A rebase is under way.*\n.*git rebase --abort/],
  [
    'a cherry-pick',
    (folder) => conflict(folder, 'cherry-pick'),
    /A cherry-pick is under way.*\n.*git cherry-pick --abort/,
  ],
  [
    'a revert',
    (folder) => {
      commit(folder, 'More', { 'notes.txt': 'one\n' });
      git(folder, 'revert', '--no-commit', 'HEAD');
    },
    /A revert is under way.*\n.*git revert --abort/,
  ],
  ['a file that is not UTF-8', (folder) => latin(folder), /can't be read as UTF-8/],
  [
    'a file that is no YAML',
    (folder) => void commit(folder, 'Break it', { [core]: 'image: {\n' }),
    /not valid YAML, in line/,
  ],
];
for (const [what, arrange, says] of refusals) {
  test(`${what}: said in a sentence, and nothing is touched`, async () => {
    const folder = platform();
    arrange(folder);
    const before = [head(folder), dirt(folder), readFileSync(join(folder, core), 'latin1')];
    const said = await run(folder, ['promote', 'core-go', 'a1b2c3d']);
    assert.equal(said.code, 1, said.text);
    assert.match(said.text, says);
    assert.deepEqual([head(folder), dirt(folder), readFileSync(join(folder, core), 'latin1')], before);
  });
}

function conflict(folder: string, how: 'merge' | 'rebase' | 'cherry-pick'): void {
  git(folder, 'checkout', '--quiet', '-b', 'other');
  commit(folder, 'Theirs', { 'notes.txt': 'theirs\n' });
  git(folder, 'checkout', '--quiet', 'main');
  commit(folder, 'Mine', { 'notes.txt': 'mine\n' });
  assert.throws(() => git(folder, how, 'other'));
}

function latin(folder: string): void {
  writeFileSync(
    join(folder, core),
    Buffer.concat([readFileSync(join(folder, core)), Buffer.from('# caf\xe9\n', 'latin1')]),
  );
  commit(folder, 'In another encoding');
}

function hook(folder: string, name: string, script: string): void {
  write(folder, `.git/hooks/${name}`, `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, '.git/hooks', name), 0o755);
}

for (const name of ['pre-commit', 'commit-msg']) {
  test(`a ${name} hook that fails is quoted, and everything is as it was`, async () => {
    const folder = platform();
    hook(folder, name, 'echo "values are frozen on Fridays" >&2; exit 1');
    const before = [head(folder), values(folder, 'core-go')];
    for (const words of [['promote', 'all', 'a1b2c3d'] as const, ['promote', 'core-go', 'a1b2c3d'] as const]) {
      const said = await run(folder, words);
      assert.equal(said.code, 1);
      assert.match(said.text, /Nothing was committed.*values are frozen on Fridays/);
      assert.deepEqual([head(folder), values(folder, 'core-go'), dirt(folder)], [...before, '']);
    }
  });
}

test('a rollback that a hook stops leaves no half revert', async () => {
  const folder = platform();
  await run(folder, ['promote', 'core-go', 'a1b2c3d']);
  hook(folder, 'pre-commit', 'exit 1');
  const before = [head(folder), values(folder, 'core-go')];
  assert.equal((await run(folder, ['rollback', 'core-go'])).code, 1);
  assert.deepEqual([head(folder), values(folder, 'core-go'), dirt(folder)], [...before, '']);
  assert.equal(existsSync(join(folder, '.git/REVERT_HEAD')), false);
});

test('Ctrl-C while a hook runs leaves nothing behind', async () => {
  const folder = platform();
  const started = join(folder, '.git', 'hook started');
  hook(folder, 'pre-commit', `: > "${started}"; sleep 30`);
  const controller = new AbortController();
  const running = run(folder, ['promote', 'core-go', 'a1b2c3d'], { signal: controller.signal });
  while (!existsSync(started)) await new Promise((resolve) => setTimeout(resolve, 10));
  controller.abort();
  assert.equal((await running).code, 130);
  assert.deepEqual([tagOf(folder), dirt(folder), subjects(folder)], ['1df3b1f', '', ['Start']]);
  assert.deepEqual(readdirSync(join(folder, '.state')), []);
});

test('what a hook of the user adds to the message is theirs', async () => {
  const folder = platform();
  hook(folder, 'commit-msg', 'echo "Signed-off-by: Ann" >> "$1"');
  assert.equal((await run(folder, ['promote', 'core-go', 'a1b2c3d'])).code, 0);
  assert.match(git(folder, 'log', '-1', '--format=%B'), /^chore: promote images a1b2c3d\n[\s\S]*Signed-off-by: Ann/);
});

test('nobody to commit as is what Git says, with the commands that change it', async () => {
  const folder = platform();
  git(folder, 'config', 'user.useConfigOnly', 'true');
  const nobody = Object.fromEntries(
    ['AUTHOR', 'COMMITTER'].flatMap((who) => [
      [`GIT_${who}_NAME`, undefined],
      [`GIT_${who}_EMAIL`, undefined],
    ]),
  );
  const said = await run(folder, ['promote', 'core-go', 'a1b2c3d'], { env: nobody });
  assert.equal(said.code, 1);
  assert.match(said.text, /Git does not know who commits: .*\ngit config --global user\.name/);
  assert.equal(dirt(folder), '');
});

test('--no-commit edits only, says what to type, and works on what is edited already', async () => {
  const folder = platform();
  appendFileSync(join(folder, core), '# mine\n');
  for (const tag of ['a1b2c3d', 'b2c3d4e']) {
    const said = await run(folder, ['promote', 'core-go', tag], { flags: { 'no-commit': true } });
    assert.equal(said.code, 0, said.text);
    assert(said.text.includes(`Not committed: git commit -m 'chore: promote images ${tag}' -- ${core}`), said.text);
    assert.equal(tagOf(folder), tag);
  }
  assert.deepEqual(subjects(folder), ['Start']);
  assert.match(values(folder, 'core-go'), /# mine\n$/);
  const both = await run(folder, ['promote', 'core-go', 'x'], { flags: { 'no-commit': true, push: true } });
  assert.equal(both.code, 2);
});

const unknown: [readonly [string, ...string[]], number, RegExp][] = [
  [['promote', 'core-og', 'a1b2c3d'], 2, /no service "core-og"\.\nDid you mean core-go/],
  [['promote', 'redis', 'a1b2c3d'], 2, /no service "redis"\.\nThere are api-node, core-go, worker-python/],
  [['promote', 'core-go', 'a b'], 2, /"a b" can't be the tag of an image/],
  [['promote', 'core-go', `${'a'.repeat(64)}`], 2, /can't be the tag/],
  [['promote', 'core-go', 'abc:def'], 2, /can't be the tag/],
  [['rollback', 'all'], 2, /one service at a time/],
  [['rollback', 'core-go'], 1, /nothing to go back to/],
  [['history', 'core'], 2, /Did you mean|There are/],
];
const untouched = platform();
for (const [words, code, says] of unknown) {
  test(`${words.join(' ')}: refused with what there is`, async () => {
    const said = await run(untouched, words);
    assert.equal(said.code, code, said.text);
    assert.match(said.text, says);
    assert.deepEqual([subjects(untouched), dirt(untouched)], [['Start'], '']);
  });
}

test('CRLF, no final newline and everything else that a file has stays, also through core.autocrlf', async () => {
  for (const autocrlf of ['false', 'input']) {
    const folder = platform();
    git(folder, 'config', 'core.autocrlf', autocrlf);
    git(folder, 'config', 'core.safecrlf', 'false');
    const text = values(folder, 'core-go').replaceAll('\n', '\r\n').trimEnd();
    writeFileSync(join(folder, core), text);
    commit(folder, 'As from Windows');
    assert.equal((await run(folder, ['promote', 'core-go', 'a1b2c3d'])).code, 0);
    assert.equal(values(folder, 'core-go'), text.replace('tag: "1df3b1f"', 'tag: "a1b2c3d"'));
    const rolled = await run(folder, ['rollback', 'core-go']);
    assert.equal(rolled.code, 0, rolled.text);
    const released = await run(folder, ['resume', 'core-go']);
    assert.equal(released.code, 0, released.text);
    assert.equal(values(folder, 'core-go').replaceAll('\r', ''), text.replaceAll('\r', ''));
    assert.equal(dirt(folder), '');
  }
});

test('in a linked worktree, its own branch gets the commit', async () => {
  const folder = platform();
  const linked = join(base, 'linked tree');
  git(folder, 'worktree', 'add', '--quiet', '-b', 'feature', linked);
  const said = await run(linked, ['promote', 'core-go', 'a1b2c3d']);
  assert.equal(said.code, 0, said.text);
  assert.deepEqual([tagOf(linked), tagOf(folder)], ['a1b2c3d', '1df3b1f']);
  assert.equal((await run(linked, ['rollback', 'core-go'])).code, 0);
  assert.deepEqual([tagOf(linked), subjects(folder)], ['1df3b1f', ['Start']]);
});

test('in a folder of a larger repository, everything works likewise', async () => {
  const folder = platform('ops/platform');
  assert.equal((await run(folder, ['promote', 'all', 'a1b2c3d'])).code, 0);
  assert.equal((await run(folder, ['promote', 'core-go', 'b2c3d4e'])).code, 0);
  const said = await run(folder, ['rollback', 'core-go']);
  assert.equal(said.code, 0, said.text);
  assert.equal(subjects(folder)[0], 'Revert "chore: promote images b2c3d4e"');
  assert.deepEqual([tagOf(folder), dirt(folder)], ['a1b2c3d', '']);
});

test('where Argo CD reads another repository, what to type is said, and nobody waits', async () => {
  const folder = platform();
  const env = { GITOPS_REPO_URL: 'https://github.com/org/ops.git' };
  const said = await run(folder, ['promote', 'core-go', 'a1b2c3d'], { env });
  assert.equal(said.code, 0);
  assert.match(said.text, /Argo CD reads https:\/\/github\.com\/org\/ops\.git, where this commit is not yet: git push/);
});

test('a hold is respected until it is released or forced, by one service and by all', async () => {
  const folder = platform();
  await run(folder, ['promote', 'core-go', 'b2c3d4e']);
  await run(folder, ['rollback', 'core-go']);
  for (const [words, says] of [
    [
      ['promote', 'core-go', 'b2c3d4e'],
      /on hold for this very tag: b2c3d4e was rolled back by Test, .*\n.*npm run resume -- core-go/,
    ],
    [['promote', 'core-go', 'c3d4e5f'], /core-go is on hold: b2c3d4e was rolled back/],
    [['promote', 'all', 'c3d4e5f'], /core-go is on hold.*Nothing is promoted\./],
  ] as const) {
    const said = await run(folder, words);
    assert.equal(said.code, 1, said.text);
    assert.match(said.text, says);
    assert.equal(dirt(folder), '');
  }
  assert.equal((await run(folder, ['promote', 'api-node', 'c3d4e5f'])).code, 0);
  assert.equal((await run(folder, ['promote', 'core-go', '1df3b1f'])).code, 0, 'what runs already is no promotion');
  const forced = await run(folder, ['promote', 'core-go', 'c3d4e5f'], { flags: { force: true } });
  assert.equal(forced.code, 0, forced.text);
  assert.equal(tagOf(folder), 'c3d4e5f');
  assert(!values(folder, 'core-go').includes('# hold:'));
  const released = await run(folder, ['resume', 'core-go']);
  assert.deepEqual([released.code, /not on hold/.test(released.text)], [0, true]);
});

test('release takes the note out, commits that, and the service can be promoted', async () => {
  const folder = platform();
  await run(folder, ['promote', 'core-go', 'b2c3d4e']);
  const promoted = values(folder, 'core-go');
  await run(folder, ['rollback', 'core-go']);
  const edited = await run(folder, ['resume', 'core-go'], { flags: { 'no-commit': true } });
  assert.match(edited.text, /Not committed: git commit -m 'chore: release core-go'/);
  git(folder, 'checkout', '--', core);
  const said = await run(folder, ['resume', 'core-go']);
  assert.match(said.text, /Committed as .*: chore: release core-go\n[\s\S]*Lifted: b2c3d4e was rolled back/);
  assert.equal((await run(folder, ['promote', 'core-go', 'b2c3d4e'])).code, 0);
  assert.equal(values(folder, 'core-go'), promoted);
});

test("a hold stays when the platform's CI promotes with sed, which knows no hold", async () => {
  const folder = platform();
  await run(folder, ['promote', 'core-go', 'b2c3d4e']);
  await run(folder, ['rollback', 'core-go']);
  commit(folder, 'chore: promote images c3d4e5f', {
    [core]: sed(values(folder, 'core-go'), 'ghcr.io/zainasr/core-go', 'c3d4e5f'),
  });
  assert.equal(tagOf(folder), 'c3d4e5f');
  assert.equal((await run(folder, ['promote', 'core-go', 'd4e5f6a'])).code, 1);
});

test('--from-ci asks nobody, locks nothing, and tells the workflow what it did', async () => {
  const folder = platform();
  const [output, summary] = ['output', 'summary'].map((name) => join(folder, '.git', name));
  const env = { GITHUB_OUTPUT: output, GITHUB_STEP_SUMMARY: summary };
  const told = (file = '') => (existsSync(file) ? readFileSync(file, 'utf8') : '');
  const said = await run(folder, ['promote', 'all', 'a1b2c3d'], { flags: { 'from-ci': true }, env });
  assert.equal(said.code, 0, said.text);
  assert.equal(
    told(output),
    `changed=true\nservices=api-node core-go worker-python\ncommit=${head(folder)}\npushed=false\n`,
  );
  assert.match(
    told(summary),
    /^### chore: promote images a1b2c3d\n\n\| service \|[\s\S]*\| core-go \| `1df3b1f` \| `a1b2c3d` \|\n/,
  );
  assert.deepEqual(readdirSync(join(folder, '.state')), []);

  await run(folder, ['promote', 'all', 'a1b2c3d'], { flags: { 'from-ci': true }, env });
  assert(told(output).endsWith('changed=false\nservices=\ncommit=\npushed=false\n'));
  await run(folder, ['rollback', 'core-go']);
  const held = await run(folder, ['promote', 'all', 'b2c3d4e'], { flags: { 'from-ci': true }, env });
  assert.equal(held.code, 1);
  assert.match(told(summary), /### Not promoted\n\ncore-go is on hold: a1b2c3d was rolled back/);
});
