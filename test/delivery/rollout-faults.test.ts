import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWarnings, killedByProbe, rolloutFaults, syncFaults } from '../../scripts/delivery/sync/faults.ts';
import { rolloutOf } from '../../scripts/delivery/sync/rollout.ts';
import type { KubeEvent, Pod } from '../../scripts/kubernetes/types.ts';
import { fakeContext } from '../support/fakes.ts';
import { application, began, commits, deployment, image, pod, rolledOut } from '../support/sights.ts';

const log = 'stand-in: CORE_GO_BASE_URL is not set';
/** A context whose cluster tells these events of a pod, and that log. */
const contextWith = (events: readonly KubeEvent[] = [], gitops?: object) =>
  fakeContext({
    config: { gitops },
    api: () => ({ json: async () => ({ items: events }), text: async () => log }),
  });

const followed = new Set([commits.new]);
const failed = (status: object) => application({ sync: { status: 'OutOfSync' }, operationState: status as never });
const refusal = {
  kind: 'Job',
  name: 'migrate',
  status: 'SyncFailed',
  message: 'resource batch:Job is not permitted in project platform',
};

test('a sync that failed is told with each object and its reason, also while it waits to be tried again', async () => {
  for (const phase of [{ phase: 'Failed' }, { phase: 'Running', finishedAt: began }]) {
    const syncResult = { revision: commits.new, resources: [refusal, { ...refusal, status: 'Synced', name: 'other' }] };
    const [fault] = syncFaults(contextWith(), failed({ ...phase, message: 'one or more', syncResult }), followed);
    assert.equal(fault?.patience, 0);
    const error = await fault?.explain('');
    assert.equal(error?.id, 'not-synced');
    assert.match(error?.message ?? '', /^api-node .* bbbbbbb\.\n {2}Job migrate: resource batch:Job is not/);
    assert.doesNotMatch(error?.message ?? '', /other/);
    assert.equal(error?.hint, 'git revert --no-edit bbbbbbb');
  }
});

test('what may pass, as a webhook that nobody answers, is given time', () => {
  const message = 'Internal error occurred: failed calling webhook "validate.nginx.ingress.kubernetes.io": timed out';
  const syncResult = { revision: commits.new, resources: [{ ...refusal, message }] };
  const [fault] = syncFaults(contextWith(), failed({ phase: 'Failed', syncResult }), followed);
  assert.ok((fault?.patience ?? 0) >= 20_000);
});

test('a sync that is under way, that went well, or that was of another commit is no fault', () => {
  const syncResult = { revision: commits.old, resources: [refusal] };
  assert.deepEqual(syncFaults(contextWith(), failed({ phase: 'Failed', syncResult }), followed), []);
  assert.deepEqual(syncFaults(contextWith(), failed({ phase: 'Running' }), followed), []);
  assert.deepEqual(syncFaults(contextWith(), application(), followed), []);
});

test('a sync that failed before it applied anything is told in its own words', async () => {
  const operation = { sync: { revision: commits.new } };
  const state = { phase: 'Error', message: 'Shared resource found: ConfigMap/api-node', operation };
  const [fault] = syncFaults(contextWith(), failed(state), followed);
  assert.match((await fault?.explain(''))?.message ?? '', /\n {2}Shared resource found/);
});

const now = () => new Date().toISOString();
const old = pod('old', 'old', { ready: true, made: '2026-01-01T00:00:00Z' });
const stuck = (fresh: Pod) => {
  const rollout = rolloutOf(rolledOut({ deployment: deployment(1, 0), pods: [old, fresh] }), began);
  if (!rollout) throw new Error('no roll-out');
  return rollout;
};
const found = (fresh: Pod, events: readonly KubeEvent[] = [], status: object = {}) =>
  rolloutFaults(contextWith(events), application(), stuck(fresh), {
    deployment: { status },
    events,
    commit: commits.new,
  });
const waiting = (reason: string, message = 'because', parts: object = {}) => ({
  containerStatuses: [
    {
      name: 'api-node',
      image: image('new'),
      ready: false,
      restartCount: 0,
      state: { waiting: { reason, message } },
      ...parts,
    },
  ],
});
const event = (reason: string, message: string, count = 1, uid = 'uid-new'): KubeEvent => ({
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name: reason },
  type: reason === 'Killing' ? 'Normal' : 'Warning',
  reason,
  message,
  count,
  lastTimestamp: began,
  involvedObject: { uid, name: 'new' },
});
const unhealthy = (count: number, uid?: string) =>
  event('Unhealthy', 'Startup probe failed: HTTP probe failed with statuscode: 500', count, uid);
const killing = event('Killing', 'Container api-node failed startup probe, will be restarted');

const bad: [string, Pod, KubeEvent[], number, RegExp][] = [
  [
    'a second crash',
    pod('new', 'new', { made: now(), status: waiting('CrashLoopBackOff') }),
    [],
    0,
    /CrashLoopBackOff/,
  ],
  [
    'an image that the registry does not have',
    pod('new', 'new', { made: now(), status: waiting('ErrImagePull', 'ghcr.io/zainasr/api-node:new: not found') }),
    [],
    5000,
    /not found/,
  ],
  [
    'a Secret that is missing',
    pod('new', 'new', { made: now(), status: waiting('CreateContainerConfigError', 'secret "x" not found') }),
    [],
    5000,
    /secret "x"/,
  ],
  [
    'a startup probe that ran out of time',
    pod('new', 'new', { made: now() }),
    [unhealthy(60), killing],
    0,
    /statuscode: 500/,
  ],
];
for (const [what, fresh, events, patience, reason] of bad) {
  test(`${what} ends it, with the reason, who serves meanwhile, and the way back`, async () => {
    const [fault, ...others] = found(fresh, events);
    assert.deepEqual([fault?.patience, others], [patience, []]);
    assert.equal(fault?.mend !== undefined, /image/.test(what), 'an image may have come since: the pod is tried again');
    const error = await fault?.explain('Deployment default/api-node: 0 of 1 pods ready');
    assert.match(error?.message ?? '', /^api-node .* bbbbbbb\.\n {2}pod default\/new, container api-node: /);
    assert.match(error?.message ?? '', reason);
    assert.match(error?.message ?? '', /\n {2}1 old pod .*ghcr\.io\/zainasr\/api-node:old\.$/);
    assert.match(error?.hint ?? '', /npm run rollback -- api-node, or git revert --no-edit bbbbbbb$/);
  });
}

test('the last words of a program that crashes are among the reasons', async () => {
  const [fault] = found(pod('new', 'new', { made: now(), status: waiting('CrashLoopBackOff') }));
  assert.ok((await fault?.explain(''))?.message.includes(log));
});

test('a pod that is not new any more is given the time of a platform that starts', () => {
  const [fault] = found(pod('new', 'new', { made: began, status: waiting('CrashLoopBackOff') }));
  assert.ok((fault?.patience ?? 0) > 20_000);
});

test('probes that fail while the kubelet has not given up are no fault, and neither are those of another pod', () => {
  const fresh = pod('new', 'new', { made: now() });
  assert.deepEqual(found(fresh, [unhealthy(30)]), []);
  assert.equal(
    killedByProbe(fresh, [unhealthy(60, 'other'), { ...killing, involvedObject: { uid: 'other' } }]),
    undefined,
  );
});

test('a quota that leaves no room for a pod is told by the Deployment', async () => {
  const conditions = [
    { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'exceeded quota: small' },
  ];
  const [fault] = rolloutFaults(
    contextWith(),
    application(),
    { ...stuck(old), fresh: [] },
    {
      deployment: { status: { conditions } },
      events: [],
      commit: commits.new,
    },
  );
  assert.match((await fault?.explain('0 of 1 pods ready'))?.message ?? '', /FailedCreate: exceeded quota: small/);
});

test('without another image the way back is the revert alone, and from elsewhere it has to be pushed', async () => {
  const same = {
    ...stuck(pod('new', 'new', { made: now(), status: waiting('CrashLoopBackOff') })),
    before: image('new'),
  };
  const options = { deployment: {}, events: [], commit: commits.new };
  const [fault] = rolloutFaults(contextWith([], {}), application(), same, options);
  assert.match((await fault?.explain(''))?.hint ?? '', /(?<!rollback.*)git revert --no-edit bbbbbbb && git push$/);
});

test('a probe that keeps failing is told once while it is waited for', () => {
  const notes: string[] = [];
  const warn = createWarnings((text) => void notes.push(text));
  const fresh = pod('new', 'new');
  for (const count of [1, 4, 5, 6, 40]) warn(fresh, [unhealthy(count)]);
  assert.deepEqual(notes, ['! new: Startup probe failed: HTTP probe failed with statuscode: 500']);
});
