import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changedFields, pathName, restartOf } from '../../scripts/delivery/diff/restart.ts';
import { object } from '../support/diff.ts';

const container = { name: 'web', image: 'example/web:a', env: [{ name: 'PASSWORD', value: 'old' }] };
const template = { metadata: { annotations: { 'checksum/config': 'aaa' } }, spec: { containers: [container] } };
const workload = (change: object = {}, spec: object = {}, kind = 'Deployment') => ({
  ...object(kind, 'web', { spec: { replicas: 2, ...spec, template: { ...template, ...change } } }, {}, 'apps/v1'),
  status: { replicas: 3, desiredNumberScheduled: 5 },
});
const containers = (...all: object[]) => ({ spec: { containers: all } });

const reasons: [string, object, string[]][] = [
  ['an image', containers({ ...container, image: 'example/web:b' }), ['image example/web:a → example/web:b']],
  ['a checksum', { metadata: { annotations: { 'checksum/config': 'bbb' } } }, ['its configuration (checksum/config)']],
  ['a variable', containers({ ...container, env: [{ name: 'PASSWORD', value: 'new' }] }), ['variable PASSWORD']],
  ['a new variable', containers({ ...container, env: [...container.env, { name: 'B' }] }), ['variable B']],
  ['a first variable', containers({ ...container, env: undefined }), ['containers[web].env']],
  ['a limit', containers({ ...container, resources: { limits: { memory: '1Gi' } } }), ['containers[web].resources']],
  [
    'a number',
    { spec: { ...template.spec, terminationGracePeriodSeconds: 5 } },
    ['terminationGracePeriodSeconds none → 5'],
  ],
  ['another container', containers(container, { name: 'side', image: 'x' }), ['containers[side]']],
  [
    'two things',
    { metadata: { annotations: {} }, ...containers({ ...container, image: 'example/web:b' }) },
    ['image example/web:a → example/web:b', 'its configuration (checksum/config)'],
  ],
];
for (const [what, change, said] of reasons) {
  test(`${what} in the template restarts the pods that there are, and is said to`, () => {
    assert.deepEqual(restartOf(workload(), workload(change)), { pods: 3, reasons: said });
  });
}

test('the value of a variable is told nowhere', () => {
  const changed = workload(containers({ ...container, env: [{ name: 'PASSWORD', value: 'new' }] }));
  assert.doesNotMatch(JSON.stringify(restartOf(workload(), changed)), /old|new/);
});

test('what is outside of the template restarts nothing, and neither does an object without pods', () => {
  assert.equal(restartOf(workload(), workload({}, { replicas: 5 })), undefined);
  assert.equal(
    restartOf(object('ConfigMap', 'c', { data: {} }), object('ConfigMap', 'c', { data: { a: '1' } })),
    undefined,
  );
  const asleep = { ...workload({}, { replicas: 0 }), status: { replicas: 0 } };
  assert.equal(restartOf(asleep, workload(containers({ ...container, image: 'b' }), { replicas: 0 })), undefined);
});

test('a workload whose pods somebody else replaces restarts nothing', () => {
  const other = containers({ ...container, image: 'b' });
  assert.equal(restartOf(workload(), workload(other, { paused: true })), undefined);
  const waiting = { updateStrategy: { type: 'OnDelete' } };
  assert.equal(restartOf(workload({}, waiting, 'DaemonSet'), workload(other, waiting, 'DaemonSet')), undefined);
  assert.equal(restartOf(workload({}, {}, 'DaemonSet'), workload(other, {}, 'DaemonSet'))?.pods, 5);
});

test('fields are found by the names of list items, or by their places where they have none', () => {
  const paths = (before: unknown, after: unknown) => changedFields(before, after).map(({ path }) => pathName(path));
  const [a, b] = [
    { name: 'a', x: 1 },
    { name: 'b', x: 1 },
  ];
  assert.deepEqual(paths({ list: [a, b] }, { list: [{ ...b, x: 2 }, a] }), ['list[b].x']);
  assert.deepEqual(paths({ list: [1, 2] }, { list: [1, 3] }), ['list[1]']);
  assert.deepEqual(paths({ a: { b: 1 } }, { a: null }), ['a']);
  assert.deepEqual(paths({ a: 1 }, { a: 1 }), []);
});
