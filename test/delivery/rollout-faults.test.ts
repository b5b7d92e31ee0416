import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWarnings, rolloutFaults, syncFaults } from '../../scripts/delivery/sync/faults.ts';
import { type Rollout, rolloutOf } from '../../scripts/delivery/sync/rollout.ts';
import type { KubeEvent, Pod } from '../../scripts/kubernetes/types.ts';
import { made } from '../support/fake-cluster.ts';
import { fakeContext } from '../support/fakes.ts';
import { application, began, commits, deployment, image, pod, rolledOut } from '../support/sights.ts';

const log = 'stand-in: CORE_GO_BASE_URL is not set';
/** A context whose cluster tells these events of a pod, and that log. */
const contextWith = (events: readonly KubeEvent[] = [], gitops?: object) =>
  fakeContext({
    config: { gitops },
    api: () => ({ json: async () => ({ items: events }), text: async () => log }),
  });

const refused = { kind: 'Job', name: 'migrate', status: 'SyncFailed', message: 'not permitted in project platform' };
const faultsOf = (status: object) =>
  syncFaults(
    contextWith(),
    application({ sync: { status: 'OutOfSync' }, operationState: status as never }),
    new Set([commits.new]),
  );
const result = (parts: object = {}, revision = commits.new) => ({
  syncResult: {
    revision,
    resources: [
      { ...refused, ...parts },
      { ...refused, status: 'Synced', name: 'other' },
    ],
  },
});

const webhook = 'failed calling webhook "validate.nginx.ingress.kubernetes.io": timed out';
for (const [what, status, patience, reason] of [
  ['failed', { phase: 'Failed', message: 'one or more', ...result() }, 0, 'Job migrate: not permitted in'],
  ['waits to be tried again', { phase: 'Running', finishedAt: began, ...result() }, 0, 'Job migrate: not permitted in'],
  [
    'was refused by a silent webhook',
    { phase: 'Failed', ...result({ message: webhook }) },
    45_000,
    'Job migrate: failed',
  ],
  [
    'failed before it applied anything',
    { phase: 'Error', message: 'Shared resource found', operation: { sync: { revision: commits.new } } },
    0,
    'Shared resource found',
  ],
] as const) {
  test(`a sync that ${what} is told with what was refused, why, and the way back`, async () => {
    const [fault, ...others] = faultsOf(status);
    assert.deepEqual([fault?.patience, others], [patience, []]);
    const error = await fault?.explain('');
    assert.deepEqual([error?.id, error?.hint], ['not-synced', 'git revert --no-edit bbbbbbb']);
    assert.match(error?.message ?? '', new RegExp(`^api-node .* bbbbbbb\\.\\n {2}${reason}`));
    assert.doesNotMatch(error?.message ?? '', /other/);
  });
}

test('a sync that is under way, that went well, or that was of another commit is no fault', () => {
  for (const status of [
    { phase: 'Failed', ...result({}, commits.old) },
    { phase: 'Running' },
    { phase: 'Succeeded', ...result() },
  ])
    assert.deepEqual(faultsOf(status), []);
});

const old = pod('old', 'old', { ready: true, made: '2026-01-01T00:00:00Z' });
function stuck(fresh: Pod): Rollout {
  const rollout = rolloutOf(rolledOut({ deployment: deployment(1, 0), pods: [old, fresh] }), began);
  return rollout ?? assert.fail('no rollout');
}
/** The faults of a rollout with one new pod, in a cluster with these events. */
const found = (fresh: Pod, events: readonly KubeEvent[] = [], { conditions = [] as object[], gitops = {} } = {}) =>
  rolloutFaults(contextWith(events, gitops), application(), stuck(fresh), {
    deployment: { status: { conditions } as never },
    events,
    commit: commits.new,
  });
/** The new pod, whose container waits for a reason, if one is given. */
function fresh(reason?: string, message = 'because', createdAt = new Date().toISOString()): Pod {
  const state = { waiting: { reason, message } };
  const container = { name: 'api-node', image: image('new'), ready: false, restartCount: 0, state };
  return pod('new', 'new', { made: createdAt, status: reason ? { containerStatuses: [container] } : {} });
}
const event = (reason: string, message: string, count = 1, uid = 'uid-new'): KubeEvent => ({
  ...made('Event', reason),
  ...{ type: reason === 'Killing' ? 'Normal' : 'Warning', reason, message, count, lastTimestamp: began },
  involvedObject: { uid, name: 'new' },
});
const unhealthy = (count: number, uid?: string) =>
  event('Unhealthy', 'Startup probe failed: HTTP probe failed with statuscode: 500', count, uid);
const killing = event('Killing', 'Container api-node failed startup probe, will be restarted');

const bad: [string, Pod, KubeEvent[], number, RegExp][] = [
  ['a second crash', fresh('CrashLoopBackOff'), [], 0, /CrashLoopBackOff[\s\S]*CORE_GO_BASE_URL is not set/],
  ['an image that the registry lacks', fresh('ErrImagePull', 'ghcr.io/a/b:1: not found'), [], 5000, /not found/],
  ['a Secret that is missing', fresh('CreateContainerConfigError', 'secret "x" not found'), [], 5000, /secret "x"/],
  ['a startup probe that ran out of time', fresh(), [unhealthy(60), killing], 0, /statuscode: 500/],
];
for (const [what, one, events, patience, reason] of bad) {
  test(`${what} ends it, with the reason, who serves meanwhile, and the way back`, async () => {
    const [fault, ...others] = found(one, events);
    assert.deepEqual([fault?.patience, others], [patience, []]);
    assert.equal(fault?.mend !== undefined, /image/.test(what), 'an image may have come since: the pod is tried again');
    const error = await fault?.explain('Deployment default/api-node: 0 of 1 pods ready');
    assert.match(error?.message ?? '', /^api-node .* bbbbbbb\.\n {2}pod default\/new, container api-node: /);
    assert.match(error?.message ?? '', reason);
    assert.match(error?.message ?? '', /\n {2}1 old pod .*ghcr\.io\/zainasr\/api-node:old\.$/);
    // A GitOps repository has to be pushed to as well.
    assert.match(error?.hint ?? '', /npm run rollback -- api-node, or git revert --no-edit bbbbbbb && git push$/);
  });
}

test('a pod that is not new any more is given the time of a platform that starts', () => {
  const [fault] = found(fresh('CrashLoopBackOff', 'because', began));
  assert.ok((fault?.patience ?? 0) > 20_000);
});

test('probes that fail while the kubelet has not given up are no fault, and neither are those of another pod', () => {
  const ended = event('Killing', 'Stopping container api-node');
  assert.deepEqual(found(fresh(), [unhealthy(30), ended]), []);
  assert.deepEqual(found(fresh(), [unhealthy(60, 'other'), { ...killing, involvedObject: { uid: 'other' } }]), []);
});

test('a quota that leaves no room for a pod is told by the Deployment, and Argo CD’s own judgement is one', async () => {
  const failure = { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'exceeded quota: small' };
  const [fault] = found(fresh(), [], { conditions: [failure] });
  assert.match((await fault?.explain(''))?.message ?? '', /FailedCreate: exceeded quota: small/);
  const degraded = application({ health: { status: 'Degraded' } });
  const [sick] = rolloutFaults(contextWith(), degraded, stuck(fresh()), { deployment: {}, events: [], commit: 'c' });
  assert.equal(sick?.patience, 30_000);
});

test('without another image the way back is the revert alone', async () => {
  const same = { ...stuck(fresh('CrashLoopBackOff')), before: image('new') };
  const options = { deployment: {}, events: [], commit: commits.new };
  const [fault] = rolloutFaults(contextWith(), application(), same, options);
  assert.equal((await fault?.explain(''))?.hint, 'git revert --no-edit bbbbbbb');
});

test('a probe that keeps failing is told once while it is waited for', () => {
  const notes: string[] = [];
  const warn = createWarnings((text) => void notes.push(text));
  for (const count of [1, 4, 5, 6, 40]) warn(pod('new', 'new'), [unhealthy(count)]);
  assert.deepEqual(notes, ['! new: Startup probe failed: HTTP probe failed with statuscode: 500']);
});
