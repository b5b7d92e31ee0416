import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { type CommitTracker, trackCommit } from '../../scripts/delivery/sync/commit-tracker.ts';
import type { Context } from '../../scripts/images/context.ts';
import type { ExecOptions } from '../../scripts/lib/exec.ts';
import { type Checkout, readCheckout } from '../../scripts/lib/git/checkout.ts';
import type { Application } from '../../scripts/repository/applications.ts';
import { fakeContext, refusal, temporaryFolder } from '../support/fakes.ts';
import { commit, createRepository, git, gitExec } from '../support/repository.ts';
import { application } from '../support/sights.ts';

const image = 'ghcr.io/a/api-node';
const base: Record<string, string> = {
  'argocd/api-node.yaml': JSON.stringify(application()),
  'argocd/project.yaml': 'apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: { name: platform }\nspec: {}\n',
  'cluster/argocd/default-project.yaml': '',
  'helm/api-node/values.yaml': `image:\n  repository: ${image}\n  tag: abc1234\n`,
  'helm/api-node/values-dev.yaml': '',
  'helm/core-go/values.yaml': 'x: 1\n',
};

interface Fake {
  root: string;
  context: Context;
  notes: string[];
  /** Every kubectl call, in one line each. */
  calls: string[];
  present: Application[];
  /** Sets out for a commit; HEAD where none is given. */
  go(commit?: string): Promise<CommitTracker>;
}

let folders = 0;
async function repository(): Promise<Fake> {
  folders += 1;
  const root = createRepository(join(await temporaryFolder(), `repository ${folders}`));
  commit(root, 'first', base);
  return fake(root);
}

/** A cluster with the Application, the secret that pulls real images (so nothing has to be built), and that checkout. */
/** With one that up applied, no stand-in is needed. */
const pullSecret = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: {
    name: 'ghcr-cred',
    namespace: 'default',
    managedFields: [{ manager: 'platform-ops', operation: 'Apply' }],
  },
};

function fake(root: string, gitops?: { repoUrl: string; revision: string }): Fake {
  const [calls, notes]: string[][] = [[], []];
  const present = [application({ sync: { status: 'Synced', revision: 'f'.repeat(40) } })];
  let checkout: Promise<Checkout> | undefined;
  const context = fakeContext({
    config: { root, environment: 'dev', clusterName: 'test', gitops },
    exec: gitExec,
    signal: new AbortController().signal,
    timeout: 1000,
    checkout: (fresh?: 'fresh') => {
      if (fresh || !checkout) checkout = readCheckout(gitExec, root);
      return checkout;
    },
    api: () => ({
      list: async () => present,
      json: async () => ({ data: {} }),
      listMetadata: async () => [pullSecret],
    }),
    kubectl: async () => ({
      run: async (args: readonly string[]) => void calls?.push(args.join(' ')),
      apply: async (objects: readonly { kind: string }[], _?: ExecOptions) => {
        calls?.push(`apply ${objects.map(({ kind }) => kind).join(' ')}`);
        return [];
      },
    }),
  });
  const options = { wanted: undefined, lockTimeoutSeconds: 5, note: (text: string) => void notes?.push(text) };
  return {
    root,
    context,
    notes: notes ?? [],
    calls: calls ?? [],
    present,
    go: (sha = git(root, 'rev-parse', 'HEAD')) => trackCommit(context, { ...options, commit: sha }),
  };
}

const at = (revision: string, parts: Partial<Application['status']> = {}) =>
  application({ sync: { status: 'Synced', revision }, ...parts });

test('Argo CD is asked to look, by an annotation, and nothing else is changed', async () => {
  const { go, calls, notes } = await repository();
  const course = await go();
  assert.deepEqual(calls, [
    'annotate applications.argoproj.io api-node --namespace argocd --overwrite argocd.argoproj.io/refresh=normal',
  ]);
  assert.deepEqual([notes, course.asked.subject, course.contained()], [[], 'first', true]);
});

test('an Application that is at the commit already is not asked for', async () => {
  const { go, calls, present, root } = await repository();
  present[0] = at(git(root, 'rev-parse', 'HEAD'));
  await go();
  assert.deepEqual(calls, []);
});

test('what Argo CD remembers to have failed has to be rendered anew', async () => {
  const { go, calls, present } = await repository();
  present[0] = at('HEAD', {
    conditions: [{ type: 'ComparisonError', message: 'Manifest generation error (cached): x' }],
  });
  await go();
  assert.match(calls.join(), /refresh=hard$/);
});

test('a failed sync of another commit that waits to be tried again is ended, so that this one begins', async () => {
  const { go, calls, present } = await repository();
  const status = { phase: 'Running', finishedAt: '2026-01-02T03:04:05Z', syncResult: { revision: 'e'.repeat(40) } };
  present[0] = { ...at('e'.repeat(40), { operationState: status }), operation: { sync: {} } };
  await go();
  assert.match(calls[0] ?? '', /^patch applications\.argoproj\.io api-node .*"phase":"Terminating"/);
  assert.match(calls[1] ?? '', /^annotate/);
});

test('Applications that follow something else are registered anew, as by up', async () => {
  const { go, calls, present, notes } = await repository();
  const other = at('f'.repeat(40));
  other.spec.source.targetRevision = 'topic';
  present[0] = other;
  await go();
  assert.match(calls[0] ?? '', /^apply .*AppProject Application/);
  assert.match(notes.join(), /Registered anew: the Application api-node follows topic of .*, not HEAD/);
});

test('where nothing is deployed it says so', async () => {
  const { go, present } = await repository();
  present.length = 0;
  const { text } = await refusal(() => go());
  assert.match(text, /^Nothing is deployed in test: .*\nnpm run up$/);
});

test('a commit that is not checked out any more has been superseded by the one that is', async () => {
  const { go, root, notes } = await repository();
  const first = git(root, 'rev-parse', 'HEAD');
  const second = commit(root, 'second', { other: '1' });
  const course = await go(first);
  assert.deepEqual([course.commit(), course.contained(), [...course.followed]], [second, true, [first, second]]);
  assert.match(
    notes.join(),
    new RegExp(`${first.slice(0, 7)} was superseded by ${second.slice(0, 7)} second, which contains it`),
  );
});

test('a newer commit that Argo CD tells of is followed from then on', async () => {
  const { go, root, calls, notes } = await repository();
  const first = git(root, 'rev-parse', 'HEAD');
  const course = await go();
  await course.heed(at(first));
  await course.heed(at('f'.repeat(40)));
  assert.equal(course.commit(), first);
  const second = commit(root, 'second', { other: '1' });
  await Promise.all([course.heed(at(second)), course.heed(at(second))]);
  assert.deepEqual([course.commit(), notes.length, calls.length], [second, 1, 2]);
  // Back again, as by a reset: it was told of before, and is news all the same.
  git(root, 'reset', '--quiet', '--hard', first);
  await course.heed(at(first));
  assert.equal(course.commit(), first);
});

test('an amended commit does not contain the one that was followed', async () => {
  const { go, root, notes } = await repository();
  const course = await go();
  git(root, 'commit', '--quiet', '--amend', '--message', 'better');
  await course.heed(at(git(root, 'rev-parse', 'HEAD')));
  assert.equal(course.contained(), false);
  assert.match(notes.join(), /better, which does not contain it/);
});

test('a chart that can not be rendered may be that of a newer commit', async () => {
  const { go, root } = await repository();
  const course = await go();
  const second = commit(root, 'broken', { other: '1' });
  const conditions = [{ type: 'ComparisonError', message: 'failed' }];
  await course.heed(at('HEAD', { conditions }));
  assert.equal(course.commit(), second);
});

test('from elsewhere, what Argo CD deploys decides; a commit of somebody else is fetched to know what it is', async () => {
  const { root } = await repository();
  const folder = await temporaryFolder();
  git(folder, 'clone', '--quiet', '--bare', root, 'origin.git');
  const repoUrl = join(folder, 'origin.git');
  git(folder, 'clone', '--quiet', repoUrl, 'other');
  const theirs = commit(join(folder, 'other'), 'theirs', { theirs: '1' });
  git(join(folder, 'other'), 'push', '--quiet');
  const { go, notes, context } = fake(root, { repoUrl, revision: 'main' });
  const first = git(root, 'rev-parse', 'HEAD');
  // Not pushed, so nothing that Argo CD could see.
  commit(root, 'mine', { mine: '1' });
  const course = await go(first);
  await course.heed(at(first));
  assert.equal(course.commit(), first);
  await course.heed(at(theirs));
  assert.deepEqual([course.commit(), course.contained()], [theirs, true]);
  assert.match(notes.join(), /theirs, which contains it/);
  assert.equal((await context.checkout('fresh')).subject, 'mine');
});

test('values that can not be read are told, and left to Argo CD', async () => {
  const { go, root, calls, notes } = await repository();
  commit(root, 'broken', { 'helm/api-node/values.yaml': 'image: [\n' });
  await go();
  assert.equal(calls.length, 1);
  assert.match(notes.join(), /helm\/api-node\/values\.yaml at \w+ is not valid YAML/);
});
