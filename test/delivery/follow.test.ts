import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { followCommit } from '../../scripts/delivery/sync/follow.ts';
import type { RolloutReport } from '../../scripts/delivery/sync/report.ts';
import type { ApplicationState } from '../../scripts/delivery/sync/rollout.ts';
import type { KubeObject } from '../../scripts/kubernetes/objects.ts';
import type { Progress } from '../../scripts/lib/terminal/progress.ts';
import { refusal, temporaryFolder } from '../support/fakes.ts';
import { commit, createRepository, git, write } from '../support/repository.ts';
import {
  application,
  chartsOf,
  deployment,
  image,
  pod,
  registration,
  replicaSet,
  rolledOut,
  syncContext,
} from '../support/sights.ts';

const names = ['api-node', 'worker-python'];
const root = createRepository(join(await temporaryFolder(), 'repository'));
const before = commit(root, 'before', chartsOf(...names));
const head = commit(root, 'Promote', { 'helm/api-node/values-dev.yaml': 'image: { tag: new }\n' });

/** An Application of the second commit, which is as it was synced by the first unless something is said. */
function as(name: string, status: object = {}): ApplicationState['application'] {
  const { spec, metadata } = registration(name);
  const operationState = { phase: 'Succeeded', startedAt: '2026-01-01T00:00:00Z', syncResult: { revision: before } };
  const sync = { status: 'Synced', revision: head, comparedTo: { source: spec.source } };
  return { ...application({ sync, operationState, history: [], ...status }), metadata, spec };
}
const operation = { phase: 'Succeeded', startedAt: '2026-01-02T03:04:05Z' };
const resources = [{ kind: 'Deployment', name: 'api-node', status: 'Synced' }];
const synced = { operationState: { ...operation, syncResult: { revision: head, resources } } };
const at = (revision: string) => ({ status: 'Synced', revision });
const old = pod('old', 'old', { ready: true, made: '2026-01-01T00:00:00Z' });
const quiet = as('worker-python');
const still = { replicaSets: [replicaSet(1, 'old')], pods: [old], deployment: deployment(1, 1) };
const rolling = { ...rolledOut(), pods: [old, pod('new', 'new')], deployment: deployment(1, 0) };

interface Moment extends Omit<ApplicationState, 'application'> {
  applications: ApplicationState['application'][];
}

/**
 * Follows the second commit in a cluster that looks like one of these moments after the other, and like the last from then on.
 * @returns the reports, which are `given` also where it fails.
 */
async function follow(moments: readonly Moment[], given: RolloutReport[] = []): Promise<RolloutReport[]> {
  let now = -1;
  const list = async (_: string, kind: string): Promise<KubeObject[]> => {
    // It begins with the Applications; the first time they are asked for is while it sets out.
    if (kind === 'Application') now = Math.min(now + 1, moments.length);
    const moment = moments[Math.max(0, now - 1)] as Moment;
    if (kind === 'Application') return moment.applications;
    if (kind === 'Deployment') return moment.deployment ? [moment.deployment] : [];
    return kind === 'ReplicaSet' ? moment.replicaSets : kind === 'Pod' ? moment.pods : [];
  };
  const progress: Progress = { start() {}, done() {}, failed() {}, note() {}, stop() {} };
  const onReport = (report: RolloutReport) => void given.push(report);
  await followCommit(syncContext(root, list), { commit: head, progress, onReport });
  return given.toSorted((one, other) => one.application.localeCompare(other.application));
}

test('a promotion is followed through its stages, and told with what it changed', async () => {
  const [api, worker] = await follow([
    { applications: [as('api-node', { sync: at(before) }), as('worker-python', { sync: at(before) })], ...still },
    { applications: [as('api-node', { sync: { status: 'OutOfSync', revision: head } }), quiet], ...still },
    { applications: [as('api-node', synced), quiet], ...rolling },
    { applications: [as('api-node', synced), quiet], ...rolledOut() },
  ]);
  const { seconds, ...told } = api as RolloutReport;
  assert.deepEqual(told, {
    application: 'api-node',
    commit: head,
    subject: 'Promote',
    revision: head,
    contained: true,
    changed: true,
    objects: ['Deployment api-node'],
    files: ['helm/api-node/values-dev.yaml'],
    pods: ['new'],
    image: { name: image('new'), before: image('old'), id: '', standIn: false },
  });
  // There is no host to ask in these values.
  assert.deepEqual(Object.keys(seconds), ['seen', 'synced', 'ready', 'scraped']);
  const times = Object.values(seconds);
  assert.deepEqual(
    times,
    times.toSorted((one, other) => one - other),
    'a stage keeps the time at which it was reached first',
  );
  assert.ok((seconds.seen ?? 0) < (seconds.synced ?? 0));
  assert.deepEqual([worker?.application, worker?.changed, worker?.pods], ['worker-python', false, []]);
});

test('a commit that needs no new pod is done when it is synced', async () => {
  const [api] = await follow([{ applications: [as('api-node', synced), quiet], ...still }]);
  assert.deepEqual([api?.changed, api?.pods, Object.keys(api?.seconds ?? {})], [true, [], ['seen', 'synced']]);
});

const message = 'rpc error: desc = failed to execute helm template command: failed exit status 1: Error: nothing';
const broken = { sync: { status: 'Unknown', revision: 'HEAD' }, conditions: [{ type: 'ComparisonError', message }] };

test('where one Application fails, the others are told of all the same; a mistake that all share is told once', async () => {
  const given: RolloutReport[] = [];
  const { error } = await refusal(() => follow([{ applications: [as('api-node', broken), quiet], ...still }], given));
  assert.equal(error.id, 'render-error');
  assert.deepEqual(
    given.map(({ application: name }) => name),
    ['worker-python'],
  );
  const shared = await refusal(() => follow([{ applications: names.map((name) => as(name, broken)), ...still }]));
  assert.equal(shared.error.id, 'render-error');
  assert.match(shared.error.message, /^api-node, worker-python: [^✖]*$/);
});

test('an unfinished rollout of an earlier commit is waited for, and is a fault of that one', async () => {
  const state = { operationState: { ...operation, syncResult: { revision: before } } };
  const waiting = { waiting: { reason: 'CrashLoopBackOff', message: 'back-off' } };
  const status = { containerStatuses: [{ name: 'api-node', ready: false, restartCount: 2, state: waiting }] };
  const fresh = pod('new', 'new', { made: new Date().toISOString(), status });
  const moment = { ...rolling, pods: [old, fresh] };
  const { error } = await refusal(() => follow([{ applications: [as('api-node', state), quiet], ...moment }]));
  assert.equal(error.id, 'pod-crashes');
  assert.match(error.message, new RegExp(`^api-node .*${before.slice(0, 7)}\\.`));
});

test('what is written into argocd/ meanwhile, and not committed, changes nothing', async (context) => {
  context.after(() => git(root, 'checkout', '--quiet', '.'));
  const [api] = await follow([
    { applications: [as('api-node', { sync: at(before) }), quiet], ...still },
    {
      get applications() {
        write(root, 'argocd/api-node.yaml', 'half: [');
        return [as('api-node', synced), quiet];
      },
      ...still,
    },
  ]);
  assert.equal(api?.changed, true);
});

// The last one: it commits.
test('a commit that supersedes it meanwhile is reported in its place, with its own times', async () => {
  let newer: string | undefined;
  const [api] = await follow([
    { applications: [as('api-node', { sync: { status: 'OutOfSync', revision: head } }), quiet], ...still },
    {
      get applications() {
        newer ??= commit(root, 'Newer');
        const sync = at(newer);
        return names.map((name) => as(name, { sync }));
      },
      ...still,
    },
  ]);
  assert.deepEqual([api?.commit, api?.revision, api?.contained, api?.changed], [head, newer, true, false]);
  const { seen = 0, synced = 0 } = api?.seconds ?? {};
  // Both were reached at one look; the first look, by which the other commit was seen, is a wait before it.
  assert.ok(synced - seen < 0.3, `seen ${seen}, synced ${synced}`);
});
