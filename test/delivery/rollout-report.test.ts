import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  createStageTimes,
  type RolloutReport,
  reportLines,
  syncedBefore,
  syncedObjects,
} from '../../scripts/delivery/sync/report.ts';
import {
  isCompared,
  judgeAnswer,
  lastSyncedCommit,
  notSyncedReason,
  type Rollout,
  rolloutOf,
} from '../../scripts/delivery/sync/rollout.ts';
import { application, began, commits, deployment, image, pod, replicaSet, rolledOut } from '../support/sights.ts';

const names = (pods: readonly { metadata: { name: string } }[] = []) => pods.map(({ metadata }) => metadata.name);

test('a roll-out is over when the Deployment has what it wants; its pods are those made since the sync began', () => {
  const rollout = rolloutOf(rolledOut(), began);
  assert.deepEqual(
    [rollout?.missing, names(rollout?.fresh), names(rollout?.old), rollout?.image, rollout?.before],
    [undefined, ['new'], [], image('new'), image('old')],
  );
});

test('while it goes on, the old pods are those of earlier templates that are ready', () => {
  const old = pod('old', 'old', { ready: true, made: '2026-01-01T00:00:00Z' });
  const sight = rolledOut({ deployment: deployment(1, 0), pods: [old, pod('older', 'old'), pod('new', 'new')] });
  const rollout = rolloutOf(sight, began);
  assert.deepEqual([names(rollout?.fresh), names(rollout?.old)], [['new'], ['old']]);
  assert.match(rollout?.missing ?? '', /0 of 1 pods ready/);
});

test('a Deployment that its controller has not seen yet is not rolled out, and has no new pod', () => {
  const before = rolledOut({
    deployment: deployment(1, 1, { observedGeneration: 1 }),
    replicaSets: [replicaSet(1, 'old')],
    pods: [pod('old', 'old', { ready: true, made: '2026-01-01T00:00:00Z' })],
  });
  const rollout = rolloutOf(before, began);
  assert.deepEqual([rollout?.missing, rollout?.fresh], ['its controller has not seen it yet', []]);
});

test('a template that comes back, as by a revert, is known by its number and not by its age', () => {
  const sight = rolledOut({ replicaSets: [replicaSet(3, 'old'), replicaSet(2, 'new')], pods: [pod('again', 'old')] });
  const rollout = rolloutOf(sight, began);
  assert.deepEqual([rollout?.image, rollout?.before, names(rollout?.fresh)], [image('old'), image('new'), ['again']]);
});

test('pods that were there before the sync, or are on their way out, are not new', () => {
  const leaving = pod('leaving', 'new');
  leaving.metadata.deletionTimestamp = began;
  const sight = rolledOut({ pods: [pod('earlier', 'new', { made: '2026-01-02T03:04:04Z' }), leaving] });
  assert.deepEqual(rolloutOf(sight, began)?.fresh, []);
  assert.deepEqual(rolloutOf(rolledOut(), undefined)?.fresh, []);
  assert.equal(rolloutOf({ ...rolledOut(), deployment: undefined }, began), undefined);
});

const { source } = application().spec;

test('a commit is compared when Argo CD says so of the source that is wanted', () => {
  assert.equal(isCompared(application(), source, commits.new), true);
  assert.equal(isCompared(application(), source, commits.old), false);
  assert.equal(isCompared(application(), { ...source, targetRevision: 'topic' }, commits.new), false);
});

test('it is synced when nothing is under way and nothing differs', () => {
  assert.equal(notSyncedReason(application(), commits.new), undefined);
  const differs = application({ sync: { status: 'OutOfSync', revision: commits.new } });
  assert.match(notSyncedReason(differs, commits.new) ?? '', /^Application api-node is OutOfSync/);
  const begins = application({}, { sync: { revision: commits.new } });
  assert.match(notSyncedReason(begins, commits.new) ?? '', /is being synced/);
  const runs = application({
    operationState: { phase: 'Running', message: 'waiting', operation: { sync: { revision: commits.old } } },
  });
  assert.match(notSyncedReason(runs, commits.new) ?? '', /is being synced \(aaaaaaa is\): waiting/);
});

test('what was synced, and what before that', () => {
  const pruned = application();
  pruned.status?.operationState?.syncResult?.resources?.push({ kind: 'Ingress', name: 'api-node', status: 'Pruned' });
  assert.deepEqual(syncedObjects(pruned), ['ConfigMap api-node', 'Deployment api-node', 'Ingress api-node (pruned)']);
  assert.deepEqual([lastSyncedCommit(pruned), syncedBefore(pruned)], [commits.new, commits.old]);
  assert.equal(syncedBefore(application({ history: [{ revision: commits.new }] })), undefined);
  assert.deepEqual(syncedObjects(application({ operationState: { phase: 'Failed' } })), []);
});

const url = 'https://api.localhost:8443/info';
const rollout: Rollout = {
  missing: undefined,
  fresh: [],
  old: [],
  image: image('b2c3d4e'),
  before: image('a1b2c3d'),
};
const others = (...endpoints: string[]) => ({ endpoints, draining: ['leaving'] });
const answers: [string, Parameters<typeof judgeAnswer>, string | RegExp][] = [
  ['the new version', [{ url, version: 'b2c3d4e' }, rollout, others('old')], 'version'],
  ['the old version', [{ url, version: 'a1b2c3d' }, rollout, others()], /still answers with version a1b2c3d/],
  [
    'the same version as before',
    [{ url, version: 'x' }, { ...rollout, image: 'a:x', before: 'a:x' }, others('old')],
    /old/,
  ],
  [
    'the same version, old pods gone',
    [{ url, version: 'x' }, { ...rollout, image: 'a:x', before: 'a:x' }, others()],
    'endpoints',
  ],
  [
    'no version, old pods there',
    [{ url }, rollout, others('old-1', 'old-2')],
    /may still be answered by old-1 and old-2/,
  ],
  ['no version, old pods gone', [{ url }, rollout, others()], 'endpoints'],
  ['a version of its own, old pods gone', [{ url, version: '2.0' }, rollout, others()], 'endpoints'],
];
for (const [what, args, expected] of answers) {
  test(`an answer with ${what}`, () => {
    const { answer, missing } = judgeAnswer(...args);
    assert.equal(answer?.draining, typeof expected === 'string' ? 1 : undefined);
    if (typeof expected === 'string') assert.equal(answer?.by, expected);
    else assert.match(missing ?? '', expected);
  });
}

test('each stage keeps the time at which it was reached first, until another commit begins', () => {
  const marks = createStageTimes(performance.now() - 5000);
  marks.reach('seen');
  const { seen = 0 } = marks.seconds();
  marks.reach('seen');
  assert.ok(seen >= 5 && marks.seconds().seen === seen && marks.seconds().synced === undefined);
  marks.clear();
  assert.deepEqual(marks.seconds(), {});
});

test('the stages are told in their order, whichever was reached first', () => {
  const marks = createStageTimes(performance.now());
  for (const stage of ['scraped', 'ready', 'answering'] as const) marks.reach(stage);
  assert.deepEqual(Object.keys(marks.seconds()), ['ready', 'answering', 'scraped']);
});

const receipt: RolloutReport = {
  application: 'api-node',
  commit: commits.new,
  subject: 'chore: promote images b2c3d4e',
  revision: commits.new,
  contained: true,
  changed: true,
  objects: ['Deployment api-node'],
  files: ['helm/api-node/values.yaml'],
  pods: ['api-node-1'],
  image: { name: image('b2c3d4e'), before: image('a1b2c3d'), id: 'sha256:123', standIn: true },
  answer: { url, version: 'b2c3d4e', by: 'version' },
  seconds: { seen: 1.234, synced: 2.1, ready: 5, answering: 5.55, scraped: 7 },
};

test('a receipt tells a person all that it knows', () => {
  assert.deepEqual(reportLines(receipt), [
    'api-node: bbbbbbb chore: promote images b2c3d4e',
    '  files     helm/api-node/values.yaml',
    '  synced    Deployment api-node',
    `  image     ${image('a1b2c3d')} -> b2c3d4e (stand-in)`,
    '  image ID  sha256:123',
    `  answers   ${url}, 200 with version b2c3d4e`,
    '  pods      api-node-1: ready, and up in Prometheus',
    '  times     seen 1.2 s, synced 2.1 s, new pod ready 5.0 s, answering 5.5 s, scraped 7.0 s',
  ]);
});

test('one without new pods, without a route, or of real images says no more than it knows', () => {
  const { image: _, answer: __, ...quiet } = receipt;
  const lines = reportLines({ ...quiet, pods: [], seconds: { seen: 1, synced: 2 } }).join('\n');
  assert.match(lines, /pods +none had to start anew/);
  assert.doesNotMatch(lines, /^ +(answers|image)|scraped/m);
  const real = reportLines({ ...receipt, answer: { url, by: 'endpoints' } }).join('\n');
  assert.match(real, /200 without a version, while only new pods were endpoints$/m);
  const draining = reportLines({ ...receipt, answer: { url, version: '2.0', by: 'endpoints', draining: 1 } }).join(
    '\n',
  );
  assert.match(draining, /200 with version 2\.0, while .* \(1 old pod drains for some seconds\)$/m);
  const both = reportLines({ ...receipt, answer: { url, version: '2.0', by: 'version', draining: 2 } }).join('\n');
  assert.match(both, /200 with version 2\.0 \(2 old pods drain for some seconds\)$/m);
});

test('an Application that the commit does not touch gets a line', () => {
  assert.deepEqual(reportLines({ ...receipt, changed: false }), ['api-node: unchanged, at bbbbbbb']);
});

test('a commit that was superseded is told with the one that took its place', () => {
  const newer = { ...receipt, revision: 'c'.repeat(40) };
  assert.match(reportLines(newer)[0] ?? '', /bbbbbbb chore: .*, contained in ccccccc$/);
  assert.match(reportLines({ ...newer, contained: false })[0] ?? '', /, not contained in ccccccc$/);
  assert.match(reportLines({ ...newer, contained: undefined })[0] ?? '', /, superseded by ccccccc$/);
  assert.match(reportLines({ ...newer, changed: false })[0] ?? '', /unchanged, bbbbbbb is contained in ccccccc$/);
});
