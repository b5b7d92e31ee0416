import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { trackCommit } from '../../scripts/delivery/sync/commit-tracker.ts';
import type { Application } from '../../scripts/repository/applications.ts';
import { refusal, temporaryFolder } from '../support/fakes.ts';
import { commit, copies, git } from '../support/repository.ts';
import { application, chartsOf, syncContext } from '../support/sights.ts';

const folder = await temporaryFolder();
const copy = copies((root) => commit(root, 'first', chartsOf('api-node')));
let made = 0;

const other = 'f'.repeat(40);
const at = (revision: string, parts: Partial<Application['status']> = {}) =>
  application({ sync: { status: 'Synced', revision }, ...parts });

/** A checkout of its own, and a cluster with these Applications. `track` sets out for a commit, HEAD where none is given. */
function cluster(present: Application[] = [at(other)], gitops?: object, root = copy(join(folder, `clone ${++made}`))) {
  const [calls, notes]: [string[], string[]] = [[], []];
  const context = syncContext(root, async () => present, { calls, gitops });
  const first = git(root, 'rev-parse', 'HEAD');
  const options = { wanted: undefined, lockTimeoutSeconds: 5, note: (text: string) => void notes.push(text) };
  const track = (sha = first) => trackCommit(context, { ...options, commit: sha });
  return { root, first, context, calls, notes, track };
}

const first = git(copy(join(folder, 'first')), 'rev-parse', 'HEAD');
const failed = { phase: 'Running', finishedAt: '2026-01-02T03:04:05Z', syncResult: { revision: other } };
const cached = [{ type: 'ComparisonError', message: 'Manifest generation error (cached): x' }];
const elsewhere = at(other);
elsewhere.spec.source.targetRevision = 'topic';
const comparedTo = { source: elsewhere.spec.source };
const asked: [string, Application, calls: RegExp[], note?: RegExp][] = [
  [
    'is at another commit',
    at(other),
    [/^annotate applications\.argoproj\.io api-node --namespace argocd .*refresh=normal$/],
  ],
  ['is at the commit already', at(first), []],
  [
    'was compared with another source',
    at(other, { sync: { status: 'Synced', revision: other, comparedTo } }),
    [/^annotate/],
  ],
  ['Argo CD remembers to have failed', at('HEAD', { conditions: cached }), [/refresh=hard$/]],
  [
    'waits to retry a failed sync of another commit',
    { ...at(other, { operationState: failed }), operation: { sync: {} } },
    [/^patch applications\.argoproj\.io api-node .*"phase":"Terminating"/, /^annotate/],
  ],
  [
    'follows something else',
    elsewhere,
    [/^apply .*AppProject Application/, /^annotate/],
    /the Application api-node follows topic of .*, not HEAD/,
  ],
];
for (const [what, one, expected, note] of asked) {
  test(`of an Application that ${what}, Argo CD is asked no more than it needs`, async () => {
    const { track, calls, notes } = cluster([one]);
    const { asked, contained } = await track();
    assert.deepEqual([asked.subject, contained, calls.length], ['first', true, expected.length]);
    for (const [index, call] of expected.entries()) assert.match(calls[index] ?? '', call);
    assert.match(notes.join(), note ?? /^$/);
  });
}

test('where nothing is deployed it says so; values that can not be read are told, and left to Argo CD', async () => {
  assert.match((await refusal(cluster([]).track)).text, /^Nothing is deployed in test: .*\nnpm run up$/);
  const { track, root, calls, notes } = cluster();
  const broken = commit(root, 'broken', { 'helm/api-node/values.yaml': 'image: [\n' });
  await track(broken);
  assert.equal(calls.length, 1);
  assert.match(notes.join(), /helm\/api-node\/values\.yaml at \w+ is not valid YAML/);
});

test('a commit that is not checked out any more was superseded by the one that is', async () => {
  const { track, root, first, notes } = cluster();
  const second = commit(root, 'second');
  const { current, contained, followed } = await track(first);
  assert.deepEqual([current, contained, [...followed]], [second, true, [first, second]]);
  assert.match(notes.join(), new RegExp(`${first.slice(0, 7)} was .* ${second.slice(0, 7)} second, which contains it`));
});

test('a newer commit that Argo CD tells of is followed from then on', async () => {
  const { track, root, first, calls, notes } = cluster();
  const course = await track();
  await course.heed(at(first));
  await course.heed(at(other));
  assert.equal(course.current, first);
  const second = commit(root, 'second');
  await Promise.all([course.heed(at(second)), course.heed(at(second))]);
  assert.deepEqual([course.current, notes.length, calls.length], [second, 1, 2]);
  // To and fro, as by a reset: it was told of before, and is news all the same.
  for (const again of [first, second, first]) {
    git(root, 'reset', '--quiet', '--hard', again);
    await course.heed(at(again));
    assert.equal(course.current, again);
  }
  // A chart that can't be rendered may be that of a newer commit; an amended one does not contain the one it was.
  git(root, 'commit', '--quiet', '--amend', '--allow-empty', '--message', 'better');
  await course.heed(at('HEAD', { conditions: [{ type: 'ComparisonError', message: 'failed' }] }));
  assert.deepEqual([course.current, course.contained], [git(root, 'rev-parse', 'HEAD'), false]);
  assert.match(notes.at(-1) ?? '', /better, which does not contain it/);
});

test('of a pushed commit, what Argo CD deploys decides; one that others pushed is fetched to know what it is', async () => {
  const { root } = cluster();
  const repoUrl = join(folder, 'origin.git');
  git(folder, 'clone', '--quiet', '--bare', root, repoUrl);
  git(folder, 'clone', '--quiet', repoUrl, 'other');
  const theirs = commit(join(folder, 'other'), 'theirs');
  git(join(folder, 'other'), 'push', '--quiet');
  const { track, first, notes, context } = cluster([at(other)], { repoUrl, revision: 'main' }, root);
  // Not pushed, so nothing that Argo CD could see.
  commit(root, 'mine');
  const course = await track(first);
  const pushed = (commit: string): Application => {
    const { spec, ...itself } = application({ sync: { status: 'Synced', revision: commit } });
    return { ...itself, spec: { source: { ...spec.source, repoURL: repoUrl } } };
  };
  await course.heed(pushed(first));
  assert.equal(course.current, first);
  await course.heed(at('e'.repeat(40)));
  assert.equal(course.current, first, 'a commit of another repository is none of this one');
  await course.heed(pushed(theirs));
  assert.deepEqual([course.current, course.contained], [theirs, true]);
  assert.match(notes.join(), /theirs, which contains it/);
  assert.equal((await context.checkout('fresh')).subject, 'mine');
});
