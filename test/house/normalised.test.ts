import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stepsIn } from '../campaigns/interruptions/killing.ts';
import { differences, type Found, normalised } from '../campaigns/interruptions/normalised.ts';
import { randomFrom } from '../campaigns/interruptions/random.ts';

const object = (kind: string, name: string, rest: object = {}, metadata: object = {}): Found => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, namespace: 'argocd', ...metadata },
  ...rest,
});
const compare = (one: Found[], other: Found[]) => differences(normalised(one), normalised(other));

test('what a cluster gives by itself makes no difference', () => {
  const generated = { uid: '1', resourceVersion: '2', creationTimestamp: 'now', managedFields: [] };
  const marks = { annotations: { 'deployment.kubernetes.io/revision': '3' } };
  const spec = { clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1'], ports: [{ port: 80, nodePort: 30000 }] };
  const other = { ports: [{ port: 80 }] };
  assert.deepEqual(
    compare(
      [object('Service', 'a', { spec, status: {} }, { ...generated, ...marks })],
      [object('Service', 'a', { spec: other })],
    ),
    [],
  );
  assert.deepEqual(compare([object('Pod', 'a-x'), object('Lease', 'b'), object('ReplicaSet', 'c')], []), []);
  assert.deepEqual(
    compare(
      [object('Secret', 'a', { data: { password: 'eA==' } })],
      [object('Secret', 'a', { data: { password: 'eQ==' } })],
    ),
    [],
  );
  assert.deepEqual(
    compare(
      [object('ConfigMap', 'kube-root-ca.crt', { data: { a: '1' } })],
      [object('ConfigMap', 'kube-root-ca.crt', {})],
    ),
    [],
  );
});

test('the order of fields makes none, that of a list does', () => {
  assert.deepEqual(
    compare([object('A', 'a', { spec: { x: 1, y: 2 } })], [object('A', 'a', { spec: { y: 2, x: 1 } })]),
    [],
  );
  assert.equal(
    compare([object('A', 'a', { spec: { x: [1, 2] } })], [object('A', 'a', { spec: { x: [2, 1] } })]).length,
    1,
  );
});

for (const [what, one, other, told] of [
  ['an object that is missing', object('A', 'a'), undefined, /^A argocd\/a is missing$/],
  ['an object too many', undefined, object('A', 'a'), /^A argocd\/a should not be there$/],
  ['a field', object('A', 'a', { spec: { x: 1 } }), object('A', 'a', { spec: { x: 2 } }), /"x": 1 became "x": 2/],
  ['a label', object('A', 'a', {}, { labels: { x: 'y' } }), object('A', 'a'), /"x": "y"/],
  ['a finalizer', object('A', 'a', {}, { finalizers: ['x'] }), object('A', 'a'), /"x"/],
  ['an object on its way out', object('A', 'a'), object('A', 'a', {}, { deletionTimestamp: 'now' }), /leaving/],
  [
    'a key of a Secret',
    object('Secret', 'a', { data: { x: '' } }),
    object('Secret', 'a', { data: { y: '' } }),
    /"x" became "y"/,
  ],
] as const) {
  test(`${what} is a difference`, () => {
    const [found, ...others] = compare(one ? [one] : [], other ? [other] : []);
    assert.match(found ?? '', told);
    assert.deepEqual(others, []);
  });
}

test('replicas are those of an autoscaler where there is one', () => {
  const scaler = object('HorizontalPodAutoscaler', 'h', { spec: { scaleTargetRef: { name: 'a' } } });
  const of = (replicas: number) => object('Deployment', 'a', { spec: { replicas } });
  assert.deepEqual(compare([scaler, of(1)], [scaler, of(2)]), []);
  assert.equal(compare([of(1)], [of(2)]).length, 1);
});

test('the same seed gives the same moments, which lie all over the span', () => {
  const [one, same, other] = [randomFrom(7), randomFrom(7), randomFrom(8)].map((random) =>
    Array.from({ length: 200 }, random),
  );
  assert(one && same && other);
  assert.deepEqual(one, same);
  assert.notDeepEqual(one, other);
  assert(one.every((number) => number >= 0 && number < 1));
  for (const tenth of [0, 3, 6, 9]) assert(one.some((number) => Math.floor(number * 10) === tenth));
});

test('steps are read off the lines of progress', () => {
  assert.deepEqual(stepsIn('✔ preflight   0.5 s\n! a note ✔ no\n✖ grafana 1 s\n✔ argo-cd 20.0 s  x\n'), [
    'preflight',
    'argo-cd',
  ]);
});
