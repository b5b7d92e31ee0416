import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { pushedCommit, waitForNewCommit } from '../../scripts/delivery/sync/commits.ts';
import { Interrupted } from '../../scripts/lib/errors.ts';
import { createExec } from '../../scripts/lib/exec.ts';
import { readCheckout } from '../../scripts/lib/git/checkout.ts';
import { changedFiles, hasAncestor, readCommit } from '../../scripts/lib/git/commits.ts';
import { remoteCommit } from '../../scripts/lib/git/remote.ts';
import { everyKind, fakeContext, refusal, temporaryFolder } from '../support/fakes.ts';
import { commit, createRepository, git, gitEnvironment, gitExec } from '../support/repository.ts';

const folder = await temporaryFolder();
let made = 0;

/** A clone with one commit, which is pushed to a bare repository under the name `upstream`. */
function clone() {
  made += 1;
  const root = createRepository(join(folder, `clone ${made}`));
  const repoUrl = join(folder, `bare-${made}.git`);
  const first = commit(root, 'first', { 'helm/a/values.yaml': '1\n' });
  git(folder, 'init', '--quiet', '--bare', '--initial-branch=main', repoUrl);
  git(root, 'remote', 'add', 'upstream', repoUrl.replace(/\.git$/, ''));
  git(root, 'push', '--quiet', repoUrl, 'main');
  const notes: string[] = [];
  const context = (revision = 'main') =>
    fakeContext({
      config: { root, gitops: { repoUrl, revision } },
      exec: gitExec,
      checkout: () => readCheckout(gitExec, root),
    });
  const ask = (revision?: string) => pushedCommit(context(revision), (text) => void notes.push(text));
  return { root, repoUrl, first, notes, ask };
}

test('what is pushed is what Argo CD deploys', async () => {
  const { first, ask, notes } = clone();
  assert.deepEqual([await ask(), notes], [first, []]);
  assert.equal(await ask('e'.repeat(40)), 'e'.repeat(40));
});

test('a commit that is not pushed yet is refused, with what to type', async () => {
  const { root, first, ask } = clone();
  const second = commit(root, 'second');
  const { error } = await refusal(ask);
  assert.equal(error.id, 'not-pushed');
  assert.match(error.message, new RegExp(`^${second.slice(0, 7)} second .* ${first.slice(0, 7)}`));
  assert.equal(error.hint, 'git push upstream main');
});

test('from another branch the push names where to', async () => {
  const { root, ask } = clone();
  git(root, 'checkout', '--quiet', '-b', 'topic');
  commit(root, 'second');
  assert.equal((await refusal(ask)).error.hint, 'git push upstream HEAD:main');
});

test('where others have pushed meanwhile, theirs come first', async () => {
  const { root, repoUrl, ask } = clone();
  git(folder, 'clone', '--quiet', repoUrl, `other-${made}`);
  commit(join(folder, `other-${made}`), 'theirs');
  git(join(folder, `other-${made}`), 'push', '--quiet');
  commit(root, 'mine');
  assert.equal((await refusal(ask)).error.hint, 'git pull --rebase && git push upstream main');
});

test('a checkout that is behind follows what is deployed, and is told so', async () => {
  const { root, repoUrl, first, ask, notes } = clone();
  const second = commit(root, 'second');
  git(root, 'push', '--quiet', repoUrl, 'main');
  git(root, 'reset', '--quiet', '--hard', first);
  assert.equal(await ask(), second);
  assert.match(notes.join(), /is ahead of what is checked out here: git pull/);
});

test('a branch or a repository that is not there is told apart', async () => {
  const { ask, root, repoUrl } = clone();
  assert.match((await refusal(() => ask('none'))).text, /has no none yet.*\ngit push upstream HEAD:none/);
  git(folder, 'init', '--quiet', '--bare', `${repoUrl}.away`);
  const away = fakeContext({
    config: { root, gitops: { repoUrl: `${repoUrl}.gone`, revision: 'main' } },
    exec: gitExec,
    checkout: () => readCheckout(gitExec, root),
  });
  assert.match((await refusal(() => pushedCommit(away, () => {}))).text, /git ls-remote/);
});

test('a tag is at the commit that it names, with a message or without', async () => {
  const { root, repoUrl, first } = clone();
  git(root, 'tag', 'light');
  git(root, 'tag', '--annotate', '--message', 'a message', 'heavy');
  git(root, 'push', '--quiet', '--tags', repoUrl);
  for (const tag of ['light', 'heavy'])
    assert.deepEqual(await remoteCommit(gitExec, root, repoUrl, tag), { state: 'found', commit: first });
  assert.deepEqual(await remoteCommit(gitExec, root, repoUrl, 'HEAD'), { state: 'found', commit: first });
  assert.deepEqual(await remoteCommit(gitExec, root, repoUrl, 'other'), { state: 'absent' });
});

test('history is read off this clone, and what it lacks is unknown', async () => {
  const { root, first } = clone();
  const second = commit(root, 'second line\n\nand a body', { 'helm/a/values.yaml': '2\n', 'helm/b/x y.yaml': '1\n' });
  const none = 'e'.repeat(40);
  const read = await readCommit(gitExec, root, 'HEAD');
  assert.deepEqual([read?.sha, read?.subject], [second, 'second line']);
  assert.ok(Math.abs(Date.now() - (read?.committedAt ?? 0)) < 60_000);
  assert.equal(await readCommit(gitExec, root, none), undefined);
  assert.equal(await readCommit(gitExec, root, '--help'), undefined);
  assert.deepEqual(
    await Promise.all([
      hasAncestor(gitExec, root, second, first),
      hasAncestor(gitExec, root, first, second),
      hasAncestor(gitExec, root, second, none),
    ]),
    [true, false, undefined],
  );
  assert.deepEqual(await changedFiles(gitExec, root, [first, second], ['helm/b']), ['helm/b/x y.yaml']);
  assert.deepEqual(await changedFiles(gitExec, root, [none, second], ['helm']), []);
});

test('where Git fails, that is told, and is no answer about a commit', async () => {
  const { root, first } = clone();
  // As in a checkout that belongs to another user.
  const env = { ...gitEnvironment, GIT_TEST_ASSUME_DIFFERENT_OWNER: '1' };
  const foreign = createExec({ env: everyKind(env), signal: new AbortController().signal });
  for (const ask of [
    () => readCommit(foreign, root, 'HEAD'),
    () => hasAncestor(foreign, root, first, first),
    () => changedFiles(foreign, root, [first, first], ['helm']),
  ])
    assert.match((await refusal(ask)).text, /git (rev-list|merge-base|diff-tree) failed: .*/);
});

test('another commit that is checked out is news, from when it was made', async () => {
  const { root, first } = clone();
  const signal = new AbortController().signal;
  const started = performance.now();
  const news = waitForNewCommit(fakeContext({ config: { root }, exec: gitExec, signal }), first, first);
  await sleep(50);
  commit(root, 'second');
  const since = await news;
  assert.ok(since >= started && since <= performance.now());
});

test('so is another one that Argo CD deploys from elsewhere; an answer that fails is none', async () => {
  const { root, first } = clone();
  const answers = [first, 'HEAD', 'd'.repeat(40)];
  let asked = 0;
  const list = async () => {
    const revision = answers[Math.min(asked, answers.length - 1)];
    asked += 1;
    return [{ status: { sync: { revision } } }];
  };
  const signal = new AbortController().signal;
  const context = fakeContext({ config: { root, gitops: {} }, exec: gitExec, signal, api: () => ({ list }) });
  await waitForNewCommit(context, first, first, { head: 1, elsewhere: 1 });
  assert.equal(asked, 3);
});

test('waiting for news ends with Ctrl-C', async () => {
  const { root, first } = clone();
  const interruption = new AbortController();
  const context = fakeContext({ config: { root }, exec: gitExec, signal: interruption.signal });
  const news = waitForNewCommit(context, first, first);
  interruption.abort();
  await assert.rejects(news, Interrupted);
});
