import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { pushedCommit, waitForNewCommit } from '../../scripts/delivery/sync/commits.ts';
import { Interrupted } from '../../scripts/lib/errors.ts';
import { createExec } from '../../scripts/lib/exec.ts';
import { readCheckout } from '../../scripts/lib/git/checkout.ts';
import { changedFiles, hasAncestor, readCommit } from '../../scripts/lib/git/commits.ts';
import { remoteCommit } from '../../scripts/lib/git/remote.ts';
import { everyKind, fakeContext, refusal, temporaryFolder } from '../support/fakes.ts';
import { commit, copies, git, gitEnvironment, gitExec } from '../support/repository.ts';

const folder = await temporaryFolder();
const copy = copies((root) => commit(root, 'first', { 'helm/a/values.yaml': '1\n' }));
let made = 0;
/** A clone with one commit. */
const clone = () => copy(join(folder, `clone ${++made}`));
const none = 'e'.repeat(40);

test('what is pushed is what Argo CD deploys; what is not is refused, with what to type', async () => {
  const [root, repoUrl] = [clone(), join(folder, 'bare.git')];
  git(folder, 'clone', '--quiet', '--bare', root, repoUrl);
  git(root, 'remote', 'add', 'upstream', repoUrl.replace(/\.git$/, ''));
  const notes: string[] = [];
  const ask = (revision = 'main', url = repoUrl) => {
    const config = { root, gitops: { repoUrl: url, revision } };
    const context = fakeContext({ config, exec: gitExec, checkout: () => readCheckout(gitExec, root) });
    return pushedCommit(context, (text) => void notes.push(text));
  };
  const hint = async () => {
    const { error } = await refusal(ask);
    assert.equal(error.id, 'not-pushed');
    return error.hint;
  };
  const first = git(root, 'rev-parse', 'HEAD');
  assert.deepEqual([await ask(), await ask(none), notes], [first, none, []]);

  const second = commit(root, 'second');
  assert.match((await refusal(ask)).error.message, new RegExp(`^${second.slice(0, 7)} second .* ${first.slice(0, 7)}`));
  assert.equal(await hint(), 'git push upstream main');
  git(root, 'checkout', '--quiet', '-b', 'topic');
  assert.equal(await hint(), 'git push upstream HEAD:main');
  git(root, 'checkout', '--quiet', 'main');

  git(folder, 'clone', '--quiet', repoUrl, 'other');
  const theirs = commit(join(folder, 'other'), 'theirs');
  git(join(folder, 'other'), 'push', '--quiet');
  assert.equal(await hint(), 'git pull --rebase && git push upstream main', 'theirs come first');

  // A checkout that is behind follows what is deployed, and is told so.
  git(root, 'fetch', '--quiet', repoUrl);
  git(root, 'reset', '--quiet', '--hard', first);
  assert.equal(await ask(), theirs);
  assert.match(notes.join(), /git pull/);

  assert.equal((await refusal(() => ask('none'))).error.hint, 'git push upstream HEAD:none');
  assert.match((await refusal(() => ask('main', `${repoUrl}.gone`))).error.hint ?? '', /git ls-remote/);
});

test('a tag is at the commit that it names, with a message or without', async () => {
  const root = clone();
  git(root, 'tag', 'light');
  git(root, 'tag', '--annotate', '--message', 'a message', 'heavy');
  const first = git(root, 'rev-parse', 'HEAD');
  for (const tag of ['light', 'heavy', 'HEAD'])
    assert.deepEqual(await remoteCommit(gitExec, root, root, tag), { state: 'found', commit: first });
  assert.deepEqual(await remoteCommit(gitExec, root, root, 'other'), { state: 'absent' });
});

test('history is read off this clone, and what it lacks is unknown', async () => {
  const root = clone();
  const first = git(root, 'rev-parse', 'HEAD');
  const second = commit(root, 'second line\n\nand a body', { 'helm/a/values.yaml': '2\n', 'helm/b/x y.yaml': '1\n' });
  const read = await readCommit(gitExec, root, 'HEAD');
  assert.deepEqual([read?.sha, read?.subject], [second, 'second line']);
  assert.ok(Math.abs(Date.now() - (read?.committedAt ?? 0)) < 60_000);
  for (const unknown of [none, '--help']) assert.equal(await readCommit(gitExec, root, unknown), undefined);
  for (const [newer, older, expected] of [
    [second, first, true],
    [first, second, false],
    [second, none, undefined],
  ] as const)
    assert.equal(await hasAncestor(gitExec, root, newer, older), expected);
  assert.deepEqual(await changedFiles(gitExec, root, [first, second], ['helm/b']), ['helm/b/x y.yaml']);
  assert.deepEqual(await changedFiles(gitExec, root, [none, second], ['helm']), []);
});

test('where Git fails, that is told, and is no answer about a commit', async () => {
  const root = clone();
  // As in a checkout that belongs to another user.
  const env = { ...gitEnvironment, GIT_TEST_ASSUME_DIFFERENT_OWNER: '1' };
  const foreign = createExec({ env: everyKind(env), signal: new AbortController().signal });
  for (const ask of [
    () => readCommit(foreign, root, 'HEAD'),
    () => hasAncestor(foreign, root, 'HEAD', 'HEAD'),
    () => changedFiles(foreign, root, ['HEAD', 'HEAD'], ['helm']),
  ])
    assert.match((await refusal(ask)).text, /git (rev-list|merge-base|diff-tree) failed: .*/);
});

test('another commit that is checked out is news, from when it was made; so is one that Argo CD deploys', async () => {
  const root = clone();
  const first = git(root, 'rev-parse', 'HEAD');
  const { signal } = new AbortController();
  const started = performance.now();
  const every = { head: 1, elsewhere: 1 };
  const news = waitForNewCommit(fakeContext({ config: { root }, exec: gitExec, signal }), first, first, every);
  commit(root, 'second');
  const since = await news;
  assert.ok(since >= started && since <= performance.now());

  const answers = [first, 'HEAD', 'd'.repeat(40)];
  const list = async () => [{ status: { sync: { revision: answers.shift() } } }];
  const second = git(root, 'rev-parse', 'HEAD');
  const context = fakeContext({ config: { root, gitops: {} }, exec: gitExec, signal, api: () => ({ list }) });
  await waitForNewCommit(context, second, first, every);
  assert.deepEqual(answers, []);
});

test('waiting for news ends with Ctrl-C', async () => {
  const context = fakeContext({ config: { root: folder }, exec: gitExec, signal: AbortSignal.abort() });
  await assert.rejects(waitForNewCommit(context, none, none), Interrupted);
});
