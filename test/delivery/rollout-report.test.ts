import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import {
  createReport,
  type RolloutReport,
  reportLines,
  syncedBefore,
  syncedObjects,
} from '../../scripts/delivery/sync/report.ts';
import {
  type ApplicationState,
  createObserver,
  judgeAnswer,
  lastSyncedCommit,
  type Rollout,
  rolloutOf,
  type Stage,
  standingOf,
} from '../../scripts/delivery/sync/rollout.ts';
import type { Pod, Workload } from '../../scripts/kubernetes/types.ts';
import type { Application } from '../../scripts/repository/applications.ts';
import { fakeContext } from '../support/fakes.ts';
import { application, began, commits, deployment, image, pod, replicaSet, rolledOut } from '../support/sights.ts';

const names = (pods: readonly Pod[] = []) => pods.map(({ metadata }) => metadata.name).join();
const old = pod('old', 'old', { ready: true, made: '2026-01-01T00:00:00Z' });
const leaving = pod('leaving', 'new');
leaving.metadata.deletionTimestamp = began;
const earlier = pod('earlier', 'new', { made: '2026-01-02T03:04:04Z' });

const unseen = { deployment: deployment(1, 1, { observedGeneration: 1 }), replicaSets: [replicaSet(1, 'old')] };
const rolling = { deployment: deployment(1, 0), pods: [old, pod('older', 'old'), pod('new', 'new')] };
const back = { replicaSets: [replicaSet(3, 'old'), replicaSet(2, 'new')], pods: [pod('again', 'old')] };
const rollouts: [string, Partial<ApplicationState>, fresh: string, old: string, missing?: RegExp][] = [
  ['that is over', {}, 'new', ''],
  ['that goes on, beside ready pods of before', rolling, 'new', 'old', /0 of 1 pods ready/],
  ['that its controller has not seen yet', { ...unseen, pods: [old] }, '', '', /has not seen it yet/],
  ['to a template that comes back, known by its number and not by its age', back, 'again', ''],
  ['with pods of before the sync, or that terminate', { pods: [earlier, leaving] }, '', ''],
];
for (const [what, parts, fresh, before, missing] of rollouts) {
  test(`a rollout ${what}`, () => {
    const rollout = rolloutOf(rolledOut(parts), began);
    assert.deepEqual([names(rollout?.fresh), names(rollout?.old)], [fresh, before]);
    assert.match(rollout?.missing ?? '', missing ?? /^$/);
  });
}

test('a rollout names the image of the newest template and of the one before', () => {
  const images = (...numbers: [number, number]) => {
    const replicaSets = [replicaSet(numbers[0], 'old'), replicaSet(numbers[1], 'new')];
    const rollout = rolloutOf(rolledOut({ replicaSets }), began);
    return [rollout?.before, rollout?.image];
  };
  assert.deepEqual(images(1, 2), [image('old'), image('new')]);
  assert.deepEqual(images(3, 2), [image('new'), image('old')]);
  assert.deepEqual(rolloutOf(rolledOut(), undefined)?.fresh, []);
  assert.equal(rolloutOf({ ...rolledOut(), deployment: undefined }, began), undefined);
});

const { source } = application().spec;
const sync = (status: string, revision: string) => ({ sync: { status, revision, comparedTo: { source } } });
const running = (revision: string) => ({
  operationState: { phase: 'Running', message: 'waiting', operation: { sync: { revision } } },
});
const oneOfTwo = { deployment: deployment(1, 0), pods: [pod('first', 'new', { ready: true }), pod('new', 'new')] };
const standings: [
  string,
  Partial<ApplicationState>,
  reached: string,
  missing?: RegExp | undefined,
  proving?: string,
][] = [
  ['that another commit was compared', { application: application(sync('Synced', commits.old)) }, '', /not yet at bbb/],
  ['that differs', { application: application(sync('OutOfSync', commits.new)) }, 'seen', /is OutOfSync$/],
  ['that begins', { application: application({}, { sync: {} }) }, 'seen', /being synced: success/],
  ['behind another', { application: application(running(commits.old)) }, 'seen', /synced \(aaaaaaa is\): waiting$/],
  ['whose pods start', rolling, 'seen,synced', /^Deployment default\/api-node: 0 of 1 pods ready$/],
  ['of which one pod is ready', oneOfTwo, 'seen,synced,ready', /0 of 1 pods ready/],
  ['whose pods have to answer', {}, 'seen,synced,ready', undefined, 'new'],
  ['without a Deployment', { deployment: undefined }, 'seen,synced'],
];
for (const [what, parts, reached, missing, proving = ''] of standings) {
  test(`a commit ${what}`, () => {
    const standing = standingOf(rolledOut(parts), { commit: commits.new, wanted: application(), changed: true });
    assert.deepEqual([standing.reached.join(), names(standing.proving)], [reached, proving]);
    assert.match(standing.missing ?? '', missing ?? /^$/);
  });
}
test('a commit is not seen in what was rendered from another source, and pods of an earlier one prove nothing', () => {
  const topic = { ...application(), spec: { source: { ...source, targetRevision: 'topic' } } };
  assert.deepEqual(standingOf(rolledOut(), { commit: commits.new, wanted: topic, changed: true }).reached, []);
  const { reached, proving } = standingOf(rolledOut(), { commit: commits.new, wanted: application(), changed: false });
  assert.deepEqual([reached, proving], [['seen', 'synced'], []]);
});

test('pods of the first sync of a commit are of that commit, also after Argo CD synced it again', () => {
  const later = '2026-01-02T03:09:00Z';
  const again = (history: object[]) => {
    const { operationState } = application().status ?? {};
    const state = rolledOut({
      application: application({
        operationState: { phase: 'Succeeded', ...operationState, startedAt: later },
        history,
      }),
    });
    return names(standingOf(state, { commit: commits.new, wanted: application(), changed: true }).proving);
  };
  const [first, second] = [began, later].map((deployStartedAt) => ({ revision: commits.new, deployStartedAt }));
  const before = { revision: commits.old, deployStartedAt: '2026-01-02T03:00:00Z' };
  assert.deepEqual(
    [again([before, first ?? {}, second ?? {}]), again([first ?? {}, before, second ?? {}])],
    ['new', ''],
  );
});

test('an Application has the Deployment of its name, or under another name the one that says whose it is', async () => {
  const { application: one, ...after } = rolledOut();
  const renamed = { ...after.deployment, metadata: { ...after.deployment?.metadata, name: 'core' } } as Workload;
  const labels = { 'app.kubernetes.io/name': one.metadata.name };
  const found = async (deployment: Workload) => {
    const list = async (_: string, kind: string) =>
      kind === 'Application' ? [one] : kind === 'Deployment' ? [deployment] : [];
    const [state] = await createObserver(fakeContext({ api: () => ({ list }) }))();
    return state?.deployment?.metadata.name;
  };
  assert.equal(await found(renamed), undefined);
  assert.equal(await found({ ...renamed, metadata: { ...renamed.metadata, labels } }), 'core');
});

test('a rollout that is complete is never seen beside the pods of before', async () => {
  // As a slow API server may answer: what is asked for at the same time as the Deployments is of before they were complete.
  let isComplete = false;
  const observe = createObserver(
    fakeContext({
      api: () => ({
        list: async (_: string, kind: string) => {
          const { application: one, ...after } = rolledOut();
          if (kind === 'Application') return [one];
          if (kind !== 'Deployment') return isComplete ? (kind === 'Pod' ? after.pods : after.replicaSets) : [];
          await setImmediate();
          isComplete = true;
          return [after.deployment];
        },
      }),
    }),
  );
  const [state] = await observe();
  assert.equal(names(rolloutOf(state as ApplicationState, began)?.fresh), 'new');
});

test('a report has its image also where the new pod has just become unready', async () => {
  const rollout = rolloutOf(rolledOut({ pods: [pod('new', 'new')] }), began);
  const commit = { sha: commits.new, subject: 'x' };
  const tracker = { asked: commit, current: commit.sha, followed: new Set([commit.sha]), contained: true };
  const context = fakeContext({
    exec: async () => ({ exitCode: 0, stdout: '', stderr: '' }),
    checkout: async () => ({ top: '/' }),
    images: { inNode: async () => new Map() },
  });
  const { image: found } = await createReport(context, {
    ...{ tracker: { ...tracker, heed: async () => {} }, application: application(), objects: [], changed: true },
    ...{ rollout, answer: undefined, before: undefined, times: new Map() },
  });
  assert.deepEqual(found, { name: image('new'), before: image('old'), id: '', standIn: false });
});

test('what was synced, and what before that', () => {
  const pruned: Application = application();
  pruned.status?.operationState?.syncResult?.resources?.push({ kind: 'Ingress', name: 'api-node', status: 'Pruned' });
  assert.deepEqual(syncedObjects(pruned), ['ConfigMap api-node', 'Deployment api-node', 'Ingress api-node (pruned)']);
  assert.deepEqual([lastSyncedCommit(pruned), syncedBefore(pruned)], [commits.new, commits.old]);
  assert.equal(syncedBefore(application({ history: [{ revision: commits.new }] })), undefined);
  assert.deepEqual(syncedObjects(application({ operationState: { phase: 'Failed' } })), []);
});

const url = 'https://api.localhost:8443/info';
const promoted: Rollout = { missing: undefined, fresh: [], old: [], image: image('b2c3d4e'), before: image('a1b2c3d') };
const restarted = { ...promoted, image: 'a:x', before: 'a:x' };
const answers: [string, version: string | undefined, Rollout, endpoints: string[], expected: string | RegExp][] = [
  ['the new version', 'b2c3d4e', promoted, ['old'], 'version'],
  ['the old version', 'a1b2c3d', promoted, [], /still answers with version a1b2c3d/],
  ['the same version as before', 'x', restarted, ['old'], /old/],
  ['the same version, old pods gone', 'x', restarted, [], 'endpoints'],
  ['no version, old pods there', undefined, promoted, ['old-1', 'old-2'], /by old-1 and old-2/],
  ['no version, old pods gone', undefined, promoted, [], 'endpoints'],
  ['a version of its own, old pods gone', '2.0', promoted, [], 'endpoints'],
];
for (const [what, version, rollout, endpoints, expected] of answers) {
  test(`an answer with ${what}`, () => {
    const told = { url, ...(version !== undefined && { version }) };
    const result = judgeAnswer(told, rollout, { endpoints, draining: ['leaving'] });
    if (typeof expected === 'string') assert.deepEqual(result, { ...told, by: expected, draining: 1 });
    else assert.match(String(result), expected);
  });
}

const report: RolloutReport = {
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

test('a report tells all that it knows', () => {
  assert.deepEqual(reportLines(report), [
    'api-node: bbbbbbb chore: promote images b2c3d4e',
    '  files     helm/api-node/values.yaml',
    '  synced    Deployment api-node',
    `  image     ${image('a1b2c3d')} -> b2c3d4e (stand-in)`,
    '  image ID  sha256:123',
    `  answers   ${url}, 200 with version b2c3d4e`,
    '  pods      api-node-1: ready, and up in Prometheus',
    '  times     seen 1.2 s, synced 2.1 s, new pod ready 5.0 s, answering 5.5 s, scraped 7.0 s',
  ]);
  assert.deepEqual(reportLines({ ...report, changed: false }), ['api-node: unchanged, at bbbbbbb']);
});

test('without new pods or a route it says no more than it knows, and an answer says what proves it', () => {
  const { image: _, answer: __, ...quiet } = report;
  const lines = reportLines({ ...quiet, pods: [], seconds: { seen: 1, synced: 2 } }).join('\n');
  assert.match(lines, /pods +none/);
  assert.doesNotMatch(lines, /^ +(answers|image)|scraped/m);
  for (const [answer, proof] of [
    [{ by: 'endpoints' }, /200 without a version, while only new pods were endpoints$/m],
    [{ version: '2.0', by: 'endpoints', draining: 1 }, /200 with version 2\.0, while .* \(1 old pod .*\)$/m],
    [{ version: '2.0', by: 'version', draining: 2 }, /200 with version 2\.0 \(2 old pods .*\)$/m],
  ] as const)
    assert.match(reportLines({ ...report, answer: { url, ...answer } }).join('\n'), proof);
});

test('the stages are told in their order, whichever was reached first', async () => {
  const commit = { sha: commits.new, subject: 'x' };
  const tracker = { asked: commit, current: commit.sha, followed: new Set([commit.sha]), contained: true };
  const { seconds } = await createReport(fakeContext({}), {
    ...{ tracker: { ...tracker, heed: async () => {} }, application: application(), objects: [], changed: false },
    ...{ rollout: undefined, answer: undefined, before: undefined },
    times: new Map<Stage, number>([
      ['scraped', 1],
      ['ready', 2],
      ['answering', 3],
    ]),
  });
  assert.deepEqual(Object.entries(seconds), [
    ['ready', 2],
    ['answering', 3],
    ['scraped', 1],
  ]);
});

test('a commit that was superseded is told with the one that took its place', () => {
  const newer = { ...report, revision: 'c'.repeat(40) };
  for (const [parts, expected] of [
    [{}, /bbbbbbb chore: .*, contained in ccccccc$/],
    [{ contained: false }, /, not contained in ccccccc$/],
    [{ contained: undefined }, /, superseded by ccccccc$/],
    [{ changed: false }, /unchanged, bbbbbbb is contained in ccccccc$/],
  ] as const)
    assert.match(reportLines({ ...newer, ...parts })[0] ?? '', expected);
});
