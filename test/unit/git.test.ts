import assert from 'node:assert/strict';
import { mkdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ExitCode } from '../../scripts/lib/errors.ts';
import { createExec } from '../../scripts/lib/exec.ts';
import { fileAt, readCheckout, uncommitted } from '../../scripts/lib/git.ts';
import { refusal, temporaryFolder } from '../support/fakes.ts';
import { commit, createRepository, git, gitEnvironment, gitExec, write } from '../support/repository.ts';

const folder = realpathSync(await temporaryFolder());
const origin = createRepository(join(folder, 'origin'));
const first = commit(origin, 'Start: "quoted", ünd more', { 'helm/api/values.yaml': 'tag: one\n', 'sub/ops/a': '' });
const head = commit(origin, 'chore: promote', { 'helm/api/values.yaml': 'tag: two\n' });

const read = (where: string) => readCheckout(gitExec, where);
const refused = async (where: string) => {
  const { error, text } = await refusal(() => read(where));
  assert.equal(error.exitCode, ExitCode.usage);
  return text;
};

test('a checkout is read with its commit, subject and branch', async () => {
  assert.deepEqual(await read(origin), {
    top: origin,
    prefix: '',
    commonDir: join(origin, '.git'),
    head,
    subject: 'chore: promote',
    branch: 'main',
    linked: false,
  });
});

test('from a folder below the top, the way down to it is known', async () => {
  const { top, prefix } = await read(join(origin, 'sub', 'ops'));
  assert.deepEqual([top, prefix], [origin, 'sub/ops/']);
});

test('a linked worktree has its own branch and shares the folder of commits', async () => {
  const linked = join(folder, 'linked tree');
  git(origin, 'worktree', 'add', '--quiet', '-b', 'feature/x', linked, first);
  assert.deepEqual(await read(linked), {
    top: linked,
    prefix: '',
    commonDir: join(origin, '.git'),
    head: first,
    subject: 'Start: "quoted", ünd more',
    branch: 'feature/x',
    linked: true,
  });
});

test('a detached HEAD has a commit and no branch', async () => {
  const detached = join(folder, 'detached');
  git(folder, 'clone', '--quiet', origin, detached);
  git(detached, 'checkout', '--quiet', '--detach', first);
  const { head: at, branch, linked } = await read(detached);
  assert.deepEqual([at, branch, linked], [first, undefined, false]);
});

test('a commit without a subject is a commit', async () => {
  const silent = createRepository(join(folder, 'silent'));
  git(silent, 'commit', '--quiet', '--allow-empty', '--allow-empty-message', '--message', '');
  const { head: at, subject } = await read(silent);
  assert.deepEqual([at, subject], [git(silent, 'rev-parse', 'HEAD'), '']);
});

test('a repository without a commit is refused with the way to one', async () => {
  assert.match(await refused(createRepository(join(folder, 'empty'))), /no commit yet.*\n.*git commit/);
});

test('a folder that is no checkout is refused by its name', async () => {
  const plain = join(folder, 'plain');
  mkdirSync(plain);
  const text = await refused(plain);
  assert(text.startsWith(`${plain} is not a Git checkout`), text);
  assert.match(text, /git init/);
});

test('a shallow clone is refused with the way to a whole one', async () => {
  const shallow = join(folder, 'shallow');
  git(folder, 'clone', '--quiet', '--depth=1', `file://${origin}`, shallow);
  assert.match(await refused(shallow), /shallow.*\ngit fetch --unshallow/);
});

test('a clone that borrows objects is refused, and is fine after the command that it is told', async () => {
  const shared = join(folder, 'shared');
  git(folder, 'clone', '--quiet', '--shared', origin, shared);
  const [message = '', command = ''] = (await refused(shared)).split('\n');
  assert.match(message, /borrows objects/);
  await gitExec(['bash', '-c', `cd "$1" && ${command}`, 'repair', shared]);
  assert.equal((await read(shared)).head, head);
  git(shared, 'fsck', '--connectivity-only');
});

test('a path with a colon, which Docker cannot mount, is refused', async () => {
  const colon = createRepository(join(folder, 'a:b'));
  commit(colon, 'Start');
  assert.match(await refused(colon), /a:b.* has a colon.*\nMove/);
});

test('a checkout of another user is refused with the command that trusts it', async () => {
  // Git's own tests pretend it by this variable.
  const env = { ...gitEnvironment, GIT_TEST_ASSUME_DIFFERENT_OWNER: '1' };
  const exec = createExec({ env, signal: new AbortController().signal });
  const { text } = await refusal(() => readCheckout(exec, origin));
  assert.match(text, /does not trust .*\ngit config --global --add safe\.directory ".*origin"/);
});

test('a file is read as it is at a commit, not as it lies in the folder', async () => {
  const [file, ours] = ['helm/api/values.yaml', 'tag: mine\n'];
  write(origin, file, ours);
  assert.equal(await fileAt(gitExec, origin, first, file), 'tag: one\n');
  assert.equal(await fileAt(gitExec, origin, 'HEAD', file), 'tag: two\n');
  assert.equal(await fileAt(gitExec, origin, 'HEAD', 'helm/none.yaml'), undefined);
  git(origin, 'checkout', '--', file);
});

test('uncommitted files are changed, staged, removed and new ones of the folders asked for', async () => {
  const many = createRepository(join(folder, 'many'));
  commit(many, 'Start', { 'ops/helm/a b.yaml': '1', 'ops/helm/ü.yaml': '1', 'ops/helm/gone': '1', 'ops/other': '1' });
  for (const name of ['helm/a b.yaml', 'helm/ü.yaml', 'helm/new', 'other']) write(many, `ops/${name}`, '2');
  git(many, 'add', 'ops/helm/ü.yaml');
  git(many, 'rm', '--quiet', 'ops/helm/gone');
  const found = await uncommitted(gitExec, join(many, 'ops'), ['helm']);
  assert.deepEqual(
    found.sort(),
    ['a b.yaml', 'gone', 'new', 'ü.yaml'].map((name) => `ops/helm/${name}`),
  );
});
