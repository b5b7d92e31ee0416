// That promotions commit what they mean and nothing else, on real repositories.
import assert from 'node:assert/strict';
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../support/fakes.ts';
import {
  core,
  createPlatform,
  demand,
  dirt,
  hook,
  nobody,
  promoted,
  run,
  services,
  subjects,
  tagOf,
  values,
  waitForHook,
} from '../support/promotion.ts';
import { commit, git, write } from '../support/repository.ts';

const base = await temporaryFolder();
let repositories = 0;
const platform = (inside?: string) => createPlatform(join(base, `clone ${repositories++}`), inside);
const head = (folder: string) => git(folder, 'rev-parse', 'HEAD');
const promoting = ['promote', 'core-go', 'a1b2c3d'] as const;
const [again, all] = [
  ['promote', 'core-go', 'b2c3d4e'],
  ['promote', 'all', 'a1b2c3d'],
] as const;

test('promote changes one line, commits it alone, says so, and leaves edits of other files', async () => {
  const folder = platform();
  appendFileSync(join(folder, 'helm/api-node/values.yaml'), '# mine\n');
  write(folder, 'notes.txt', 'mine\n');
  const before = dirt(folder);
  const env = { GITOPS_REPO_URL: 'https://github.com/org/ops.git' };
  const text = await demand(folder, ['promote', 'core-go', '1234567'], { env });
  assert.match(text, /core-go: 1df3b1f → 1234567\nCommitted as [0-9a-f]{7}: chore: promote images 1234567\n/);
  assert.match(text, /Argo CD reads https:\/\/github\.com\/org\/ops\.git, where this commit is not yet: git push/);
  assert.deepEqual(subjects(folder), ['chore: promote images 1234567', 'Start']);
  assert.equal(git(folder, 'show', '--numstat', '--format=%an'), `Test\n\n1\t1\t${core}`);
  assert.match(values(folder, 'core-go'), /\n {2}tag: "1234567"\n/);
  assert.equal(dirt(folder), before);
});

test('promote all is one commit, of those that change', async () => {
  const folder = platform();
  promoted(folder, 'a1b2c3d');
  const said = await run(folder, all, { flags: { json: true } });
  const { changes, commit: made, notes } = JSON.parse(said.stdout);
  const names = changes.map(({ service }: { service: string }) => service);
  assert.deepEqual([names, made], [['api-node', 'worker-python'], head(folder)]);
  assert.deepEqual([...new Set(services.map((service) => tagOf(folder, service)))], ['a1b2c3d']);
  assert.match(notes.join(), /Nothing follows it for now: .*npm run up/);
  assert.match(await demand(folder, all), /at a1b2c3d already\. Nothing was changed\./);
  assert.equal(head(folder), made);
});

const broken = (folder: string, ...command: string[]) => {
  git(folder, 'checkout', '--quiet', '-b', 'other');
  commit(folder, 'Theirs', { 'notes.txt': 'theirs\n' });
  git(folder, 'checkout', '--quiet', 'main');
  commit(folder, 'Mine', { 'notes.txt': 'mine\n' });
  assert.throws(() => git(folder, ...command));
};
const refusals: [string, (folder: string) => void, string | undefined, RegExp][] = [
  ['staged changes', (folder) => stage(folder, 'notes.txt'), 'checkout-busy', /notes\.txt\.\n.*git restore --staged/],
  ['staged edits of the same file', (folder) => stage(folder, core), 'checkout-busy', /core-go.*\n.*git restore/],
  ['edits of the file', (folder) => appendFileSync(join(folder, core), '#\n'), 'checkout-busy', /core-go.*\n.*stash/],
  ['a detached HEAD', (folder) => void git(folder, 'checkout', '--quiet', '--detach'), 'checkout-busy', /git switch/],
  ['a merge', (folder) => broken(folder, 'merge', 'other'), 'checkout-busy', /git merge --abort/],
  ['a rebase', (folder) => broken(folder, 'rebase', 'other'), 'checkout-busy', /git rebase --abort/],
  ['a cherry-pick', (folder) => broken(folder, 'cherry-pick', 'other'), 'checkout-busy', /git cherry-pick --abort/],
  ['a revert', (folder) => broken(folder, 'revert', 'other'), 'checkout-busy', /git revert --abort/],
  ['a file that is not UTF-8', (folder) => latin(folder), 'file-unreadable', /UTF-8/],
  [
    'a file that is no YAML',
    (folder) => void commit(folder, 'Break it', { [core]: 'image: {\n' }),
    'values-invalid',
    /not valid YAML, in line/,
  ],
];
for (const [what, arrange, id, says] of refusals) {
  test(`${what}: said in a sentence, and nothing is touched`, async () => {
    const folder = platform();
    arrange(folder);
    const state = () => [head(folder), dirt(folder), readFileSync(join(folder, core), 'latin1')];
    const before = state();
    const said = await run(folder, promoting);
    assert.deepEqual([said.code, said.id], [1, id], said.text);
    assert.match(said.text, says);
    assert.deepEqual(state(), before);
  });
}

function stage(folder: string, file: string): void {
  appendFileSync(join(folder, file), '# mine\n');
  git(folder, 'add', file);
}

function latin(folder: string): void {
  const text = readFileSync(join(folder, core));
  writeFileSync(join(folder, core), Buffer.concat([text, Buffer.from('# caf\xe9\n', 'latin1')]));
  commit(folder, 'In another encoding');
}

const untouched = platform();
for (const [words, code, says] of [
  [['promote', 'core-og', 'a1b2c3d'], 2, /no service "core-og"\.\nDid you mean core-go/],
  [['promote', 'redis', 'a1b2c3d'], 2, /no service "redis"\.\nThere are api-node, core-go, worker-python/],
  [['promote', 'core-go', 'a b'], 2, /"a b" can't be the tag of an image/],
  [['promote', 'core-go', 'a'.repeat(64)], 2, /can't be the tag/],
  [['promote', 'core-go', 'abc:def'], 2, /can't be the tag/],
  [['promote', 'core-go', `abc@sha256:${'0'.repeat(64)}`], 2, /can't be the tag/],
  [['rollback', 'all'], 2, /one service at a time/],
  [['rollback', 'core-go'], 1, /nothing to go back to/],
  [['history', 'core'], 2, /Did you mean|There are/],
] as const) {
  test(`${words.join(' ')}: refused with what there is`, async () => {
    const said = await run(untouched, words);
    assert.equal(said.code, code, said.text);
    assert.match(said.text, says);
    assert.deepEqual([subjects(untouched), dirt(untouched)], [['Start'], '']);
  });
}

for (const [name, words] of [
  ['pre-commit', ['rollback', 'core-go']],
  ['commit-msg', all],
] as const) {
  test(`${words[0]}: a ${name} hook that fails is quoted, and everything is as it was`, async () => {
    const folder = platform();
    promoted(folder, 'b2c3d4e');
    hook(folder, name, 'echo "values are frozen on Fridays" >&2; exit 1');
    const before = [head(folder), values(folder, 'core-go'), values(folder, 'api-node'), ''];
    const said = await run(folder, words);
    assert.equal(said.code, 1);
    assert.match(said.text, /Nothing was committed.*values are frozen on Fridays/);
    assert.deepEqual([head(folder), values(folder, 'core-go'), values(folder, 'api-node'), dirt(folder)], before);
    assert.equal(existsSync(join(folder, '.git/REVERT_HEAD')), false);
  });
}

test('Ctrl-C while a hook runs leaves nothing behind', async () => {
  const folder = platform();
  const started = join(folder, '.git', 'hook started');
  hook(folder, 'pre-commit', `: > "${started}"; sleep 30`);
  const controller = new AbortController();
  const running = run(folder, promoting, { signal: controller.signal });
  await waitForHook(started, running);
  controller.abort();
  assert.equal((await running).code, 130);
  assert.deepEqual([tagOf(folder), dirt(folder), subjects(folder)], ['1df3b1f', '', ['Start']]);
  assert.deepEqual(readdirSync(join(folder, '.state')), []);
});

test('nobody to commit as is what Git says, with the commands that change it', async () => {
  const folder = platform();
  git(folder, 'config', 'user.useConfigOnly', 'true');
  const said = await run(folder, promoting, { env: nobody });
  assert.deepEqual([said.code, said.id, dirt(folder)], [1, 'no-identity', '']);
  assert.match(said.text, /: .*\ngit config --global user\.name/);
});

test('--no-commit edits only, says what to type, and works on what is edited already', async () => {
  const folder = platform();
  appendFileSync(join(folder, core), '# mine\n');
  for (const words of [promoting, again]) {
    const text = await demand(folder, words, { flags: { 'no-commit': true } });
    assert(text.includes(`Not committed: git commit -m 'chore: promote images ${words[2]}' -- ${core}`), text);
    assert.equal(tagOf(folder), words[2]);
  }
  assert.deepEqual(subjects(folder), ['Start']);
  assert.match(values(folder, 'core-go'), /# mine\n$/);
  assert.equal((await run(folder, promoting, { flags: { 'no-commit': true, push: true } })).code, 2);
});

test('CRLF, no final newline and everything else that a file has stays, also through core.autocrlf', async () => {
  for (const autocrlf of ['false', 'input']) {
    const folder = platform();
    git(folder, 'config', 'core.autocrlf', autocrlf);
    git(folder, 'config', 'core.safecrlf', 'false');
    const text = values(folder, 'core-go').replaceAll('\n', '\r\n').trimEnd();
    commit(folder, 'As from Windows', { [core]: text });
    await demand(folder, promoting);
    assert.equal(values(folder, 'core-go'), text.replace('tag: "1df3b1f"', 'tag: "a1b2c3d"'));
    await demand(folder, ['rollback', 'core-go']);
    await demand(folder, ['resume', 'core-go']);
    assert.equal(values(folder, 'core-go').replaceAll('\r', ''), text.replaceAll('\r', ''));
    assert.equal(dirt(folder), '');
  }
});

test('in a folder of a larger repository, everything works likewise', async () => {
  const folder = platform('ops/platform');
  await demand(folder, all);
  await demand(folder, again);
  await demand(folder, ['rollback', 'core-go']);
  assert.equal(subjects(folder)[0], 'Revert "chore: promote images b2c3d4e"');
  assert.deepEqual([tagOf(folder), dirt(folder)], ['a1b2c3d', '']);
});

test('a hold is respected until it is forced, by one service and by all; sed knows none, and leaves it', async () => {
  const folder = platform();
  promoted(folder, 'b2c3d4e');
  await demand(folder, ['rollback', 'core-go']);
  for (const [words, says] of [
    [again, /on hold for this very tag: b2c3d4e was rolled back by Test, .*\n.*npm run resume -- core-go/],
    [promoting, /core-go is on hold: b2c3d4e was rolled back/],
    [all, /core-go is on hold.*Nothing is promoted\./],
  ] as const) {
    const said = await run(folder, words);
    assert.deepEqual([said.code, said.id, dirt(folder)], [1, 'on-hold', '']);
    assert.match(said.text, says);
  }
  await demand(folder, ['promote', 'api-node', 'a1b2c3d']);
  assert.match(await demand(folder, ['promote', 'core-go', '1df3b1f']), /Nothing was changed/, 'what runs already');
  promoted(folder, 'c3d4e5f');
  assert.equal((await run(folder, promoting)).id, 'on-hold');
  await demand(folder, promoting, { flags: { force: true } });
  assert.deepEqual([tagOf(folder), values(folder, 'core-go').includes('# hold:')], ['a1b2c3d', false]);
  assert.match(await demand(folder, ['resume', 'core-go']), /not on hold/);
});

test('resume takes the note out, commits that, and the service can be promoted', async () => {
  const folder = platform();
  await demand(folder, again);
  const before = values(folder, 'core-go');
  await demand(folder, ['rollback', 'core-go']);
  const edited = await demand(folder, ['resume', 'core-go'], { flags: { 'no-commit': true } });
  assert.match(edited, /Not committed: git commit -m 'chore: release core-go'/);
  git(folder, 'checkout', '--', core);
  const text = await demand(folder, ['resume', 'core-go']);
  assert.match(text, /Committed as .*: chore: release core-go\n[\s\S]*: b2c3d4e was rolled back/);
  await demand(folder, again);
  assert.equal(values(folder, 'core-go'), before);
});

test('--from-ci asks nobody, locks nothing, and tells the workflow what it did', async () => {
  const folder = platform();
  const [output, summary] = ['output', 'summary'].map((name) => join(folder, '.git', name));
  const options = { flags: { 'from-ci': true }, env: { GITHUB_OUTPUT: output, GITHUB_STEP_SUMMARY: summary } };
  const told = (file = '') => readFileSync(file, 'utf8');
  await demand(folder, all, options);
  const names = 'api-node core-go worker-python';
  assert.equal(told(output), `changed=true\nservices=${names}\ncommit=${head(folder)}\npushed=false\n`);
  assert.match(
    told(summary),
    /^### chore: promote images a1b2c3d\n\n\| service \|[\s\S]*\| core-go \| `1df3b1f` \| `a1b2c3d` \|\n/,
  );
  assert.deepEqual(readdirSync(join(folder, '.state')), []);

  await demand(folder, all, options);
  assert(told(output).endsWith('changed=false\nservices=\ncommit=\npushed=false\n'));
  await demand(folder, ['rollback', 'core-go']);
  assert.equal((await run(folder, again, options)).code, 1);
  assert.match(told(summary), /### Not promoted\n\ncore-go is on hold: a1b2c3d was rolled back/);
});

test('a history that Git can not read is a failure, and no empty table', async () => {
  const folder = platform();
  const first = head(folder);
  for (const tag of ['a1b2c3d', 'b2c3d4e']) promoted(folder, tag);
  rmSync(join(folder, '.git', 'objects', first.slice(0, 2), first.slice(2)));
  for (const flags of [{}, { json: true }]) {
    const said = await run(folder, ['history', 'core-go'], { flags });
    assert.deepEqual([said.code, said.stdout], [1, ''], said.text);
    assert.match(said.text, /git log failed: [\s\S]*git status/);
  }
});
