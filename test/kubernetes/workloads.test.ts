import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '../../scripts/kubernetes/objects.ts';
import type { Pod } from '../../scripts/kubernetes/types.ts';
import {
  isReady,
  isStaying,
  missingOf,
  rolloutState,
  selects,
  withTemplates,
} from '../../scripts/kubernetes/workloads.ts';

const workload = (kind: string, replicas: number | undefined, status: object | undefined): KubeObject => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name: 'x', generation: 2 },
  spec: replicas === undefined ? {} : { replicas },
  ...(status && { status }),
});
const seen = { observedGeneration: 2 };
const all = (count: number) => ({
  replicas: count,
  updatedReplicas: count,
  readyReplicas: count,
  availableReplicas: count,
});
const condition = (type: string, status: string, message?: string) => ({ type, status, ...(message && { message }) });

const daemons = (desired: number, updated: number, available: number) => ({
  desiredNumberScheduled: desired,
  updatedNumberScheduled: updated,
  numberAvailable: available,
});
const told = (type: string, status: string, message?: string) => ({ conditions: [condition(type, status, message)] });
const unseen = 'its controller has not seen it yet';
const refusal = 'serviceaccount "default" not found';

const workloads: [
  what: string,
  kind: string,
  replicas: number | undefined,
  status?: object | undefined,
  missing?: string,
][] = [
  ['rolled out', 'Deployment', 2, { ...seen, ...all(2) }],
  ['without a number of replicas, as under an HPA', 'Deployment', undefined, { ...seen, ...all(1) }],
  ['more pods than asked for, all of them new', 'Deployment', 1, { ...seen, ...all(2) }],
  ['scaled to nothing', 'Deployment', 0, seen],
  ['without a status', 'Deployment', 1, undefined, unseen],
  ['changed a moment ago', 'Deployment', 1, { ...all(1), observedGeneration: 1 }, unseen],
  // By tolerating its only pod as missing.
  ['Available', 'Deployment', 1, { ...seen, ...all(0), ...told('Available', 'True') }, '0 of 1 pods ready'],
  [
    'whose pods are refused',
    'Deployment',
    1,
    { ...seen, ...told('ReplicaFailure', 'True', refusal) },
    `0 of 1 pods ready, for one can't be made: ${refusal}`,
  ],
  ['refused once', 'Deployment', 1, { ...seen, ...told('ReplicaFailure', 'False', refusal) }, '0 of 1 pods ready'],
  ['kept available by its old pod', 'Deployment', 1, { ...seen, ...all(1), updatedReplicas: 0 }, '0 of 1 pods ready'],
  ['with an old pod', 'Deployment', 1, { ...seen, ...all(2), updatedReplicas: 1 }, '1 of its old pods are still there'],
  ['ready in part', 'StatefulSet', 3, { ...seen, ...all(3), readyReplicas: 2 }, '2 of 3 pods ready'],
  ['ready', 'StatefulSet', 1, { ...seen, ...all(1), availableReplicas: 0 }],
  ['on every node', 'DaemonSet', undefined, { ...seen, ...daemons(1, 1, 1) }],
  ['with its old pod', 'DaemonSet', undefined, { ...seen, ...daemons(1, 0, 1) }, '0 of 1 pods ready'],
  ['not available', 'DaemonSet', undefined, { ...seen, ...daemons(2, 2, 0) }, '0 of 2 pods ready'],
  ['running', 'Job', undefined, undefined, 'the job still runs'],
  ['complete', 'Job', undefined, told('Complete', 'True')],
  ['complete no more', 'Job', undefined, told('Complete', 'False'), 'the job still runs'],
  ['failed', 'Job', undefined, told('Failed', 'True', 'too often'), 'the job failed: too often'],
];
for (const [what, kind, replicas, status, missing] of workloads) {
  test(`a ${kind} ${what}: ${missing ?? 'nothing missing'}`, () =>
    assert.equal(missingOf(workload(kind, replicas, status)), missing));
}

function pod(status: object, metadata: object = {}): Pod {
  const spec = { containers: [] };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', ...metadata },
    spec,
    status: { phase: 'Pending', ...status } as Pod['status'],
  };
}
const ready = { conditions: [condition('Ready', 'True')] };

test('a pod is ready only by its Ready condition', () => {
  assert.equal(isReady(pod({ phase: 'Running' })), false);
  assert.equal(isReady(pod({ conditions: [condition('Ready', 'False'), condition('Initialized', 'True')] })), false);
  assert.equal(isReady(pod(ready)), true);
});

test('a pod that drains is ready, but does not stay', () => {
  const draining = pod(ready);
  draining.metadata.deletionTimestamp = '2026-11-27T10:00:00Z';
  assert.deepEqual([isReady(draining), isStaying(draining), isStaying(pod(ready))], [true, false, true]);
  assert.equal(isStaying(pod({ phase: 'Running' })), false);
});

/** A Deployment of that image, and pods of it: [image, ready, terminating]. */
function runs(image: string, ...pods: [string, boolean, boolean][]) {
  const named = (of: string) => ({
    containers: [
      { name: 'sidecar', image: 'proxy:1' },
      { name: 'api', image: of },
    ],
  });
  const workload = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'api' } };
  return rolloutState(
    { ...workload, spec: { selector: {}, template: { spec: named(image) } } },
    pods.map(([of, isReady, terminates]) => ({
      ...pod(isReady ? ready : {}, terminates ? { deletionTimestamp: '2026-11-27T10:00:00Z' } : {}),
      spec: named(of),
    })),
  );
}

test('a workload runs its newest image as soon as one pod of it is ready, whatever else is ready or terminates', () => {
  assert.deepEqual(runs('new', ['old', true, true], ['new', true, false]), { image: 'new', terminating: 1 });
  assert.deepEqual(runs('new', ['old', true, false], ['new', true, false]), { image: 'new', terminating: 0 });
  assert.deepEqual(runs('new', ['old', true, false], ['new', false, false]), { image: 'old', terminating: 0 });
  assert.deepEqual(runs('new', ['old', true, true], ['new', false, false]), { image: 'new', terminating: 1 });
  assert.deepEqual(runs('new'), { image: 'new', terminating: 0 });
});

test('a selector selects by all of its labels, and an empty one nothing', () => {
  const metadata = { name: 'p', labels: { app: 'a', tier: 'web' } };
  assert.equal(selects({ app: 'a' }, metadata), true);
  assert.equal(selects({ app: 'a', tier: 'db' }, metadata), false);
  assert.equal(selects({ app: 'a' }, { name: 'p' }), false);
  for (const empty of [undefined, {}]) assert.equal(selects(empty, metadata), false);
});

test('a Deployment has the edited template and all else as before; others stay, and so does what was given', () => {
  const template = { spec: { containers: [{ name: 'x', image: 'old' }] } };
  const given = ['Deployment', 'StatefulSet'].map((kind) => ({
    ...workload(kind, 2, {}),
    spec: { replicas: 2, template },
  }));
  const before = structuredClone(given);
  const [changed, other] = withTemplates(given, ({ spec }: typeof template) => {
    for (const container of spec.containers) container.image = 'another';
  });
  const edited = { spec: { containers: [{ name: 'x', image: 'another' }] } };
  assert.deepEqual(changed, { ...before[0], spec: { replicas: 2, template: edited } });
  assert.equal(other, given[1]);
  assert.deepEqual(given, before);
});
