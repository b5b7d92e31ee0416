import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareObjects, normalised } from '../../scripts/delivery/diff/compare.ts';
import { ApiError } from '../../scripts/kubernetes/api/api.ts';
import type { KubeObject } from '../../scripts/kubernetes/objects.ts';
import { facts, fakeApi, object } from '../support/diff.ts';

const path = '/api/v1/namespaces/default/configmaps';
const settings = (data: object) => object('ConfigMap', 'settings', { data });
/** As the API server keeps it: with what it and its controllers add. */
const kept = (one: KubeObject, resourceVersion = '7'): KubeObject => ({
  ...one,
  metadata: {
    ...one.metadata,
    resourceVersion,
    uid: 'u',
    generation: 2,
    creationTimestamp: '2026-01-01T00:00:00Z',
    managedFields: [{ manager: 'argocd-controller', operation: 'Apply' }],
  },
  status: { seen: true },
});
/** An API server to which the object is new in all that it keeps book of. */
const serving = (live: KubeObject, predicted: KubeObject) =>
  fakeApi({ [`${path}/settings`]: kept(live) }, () => ({
    ...kept(predicted),
    metadata: { ...kept(predicted).metadata, generation: 3, managedFields: [] },
    status: {},
  }));
const means = (api: ReturnType<typeof fakeApi>['api']) => ({ api, facts, manager: 'argocd-controller' });

test('what only the API server keeps book of, or a controller reports, is no difference', async () => {
  const { api, applied } = serving(settings({ a: '1' }), settings({ a: '1' }));
  assert.deepEqual(await compareObjects([settings({ a: '1' })], means(api)), { changes: [], refused: [] });
  assert.deepEqual(applied, [{ path: `${path}/settings`, manager: 'argocd-controller', object: settings({ a: '1' }) }]);
});

test('a change is told as a unified diff of what the API server has and would have', async () => {
  const { api } = serving(settings({ a: '1', b: '2', defaulted: 'x' }), settings({ a: '1', b: '3', defaulted: 'x' }));
  const { changes } = await compareObjects([settings({ a: '1', b: '3' })], means(api));
  const [{ diff = '', ...change } = assert.fail()] = changes;
  assert.deepEqual(change, { kind: 'ConfigMap', namespace: 'default', name: 'settings', action: 'change' });
  assert.match(diff, /^@@ -\d+,\d+ \+\d+,\d+ @@\n/);
  assert.deepEqual(
    diff.split('\n').filter((line) => /^[+-]/.test(line)),
    ['-  b: "2"', '+  b: "3"'],
  );
});

test('what is not there yet would be created, as it was rendered', async () => {
  const { api } = fakeApi({});
  const { changes } = await compareObjects([settings({ a: '1' })], means(api));
  assert.equal(changes[0]?.action, 'create');
  assert.match(changes[0]?.diff ?? '', /^\+kind: ConfigMap$/m);
  assert.doesNotMatch(changes[0]?.diff ?? '', /^[- ]/m);
});

test('an object that is refused hides no other, and the reason is told as it is', async () => {
  const { api } = fakeApi({}, (one) =>
    one.metadata.name === 'bad' ? new ApiError('/x', 422, '{"message":"data: Invalid value"}') : one,
  );
  const unknown = object('Widget', 'w', {}, {}, 'example.com/v1');
  const { changes, refused } = await compareObjects([object('ConfigMap', 'bad'), unknown, settings({})], means(api));
  assert.deepEqual(
    changes.map(({ name }) => name),
    ['settings'],
  );
  assert.deepEqual(
    refused.map(({ name, reason }) => [name, reason]),
    [
      ['bad', 'data: Invalid value'],
      ['w', 'the cluster does not know the kind Widget of example.com/v1'],
    ],
  );
});

test('an object in a namespace that would be made before it is created, and one in no namespace is refused', async () => {
  const { api } = fakeApi({}, (one) =>
    one.kind === 'Namespace' ? one : new ApiError('/x', 404, '{"message":"namespaces \\"new\\" not found"}'),
  );
  const inside = { ...settings({}), metadata: { name: 'settings', namespace: 'new' } };
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'new' } };
  const both = await compareObjects([namespace, inside], { ...means(api), coming: [namespace] });
  assert.deepEqual([both.changes.map(({ action }) => action), both.refused], [['create', 'create'], []]);
  const alone = await compareObjects([inside], means(api));
  assert.deepEqual(
    alone.refused.map(({ reason }) => reason),
    ['namespaces "new" not found'],
  );
});

test('an object of a kind that would be defined before it is created', async () => {
  const widget = object('Widget', 'w', {}, {}, 'example.com/v1');
  const definition = object('CustomResourceDefinition', 'widgets.example.com', {}, {}, 'apiextensions.k8s.io/v1');
  const { changes, refused } = await compareObjects([widget], { ...means(fakeApi({}).api), coming: [definition] });
  assert.deepEqual([changes.map(({ action }) => action), refused], [['create'], []]);
});

test('an object that a controller wrote to between two looks is looked at again', async () => {
  let version = 7;
  const { api, applied } = fakeApi({}, (one) => kept(one, applied.length === 1 ? '8' : String(version)));
  const moving = {
    ...api,
    json: async <T>() => {
      version = 8;
      return kept(settings({ a: applied.length === 0 ? 'old' : '1' }), applied.length === 0 ? '7' : '8') as T;
    },
  };
  assert.deepEqual(await compareObjects([settings({ a: '1' })], means(moving)), { changes: [], refused: [] });
  assert.equal(applied.length, 2);
});

test('no value of a Secret is shown, only which of them would change', async () => {
  const secret = (data: object) => object('Secret', 'login', { data });
  const annotated = kept(secret({ user: 'dXNlcg==', password: 'b2xk' }));
  annotated.metadata.annotations = { 'kubectl.kubernetes.io/last-applied-configuration': 'b2xk' };
  const { api } = fakeApi({ '/api/v1/namespaces/default/secrets/login': annotated }, (one) => kept(one));
  const { changes } = await compareObjects(
    [secret({ user: 'dXNlcg==', password: 'bmV3', more: 'bW9yZQ==' })],
    means(api),
  );
  const diff = changes[0]?.diff ?? '';
  assert.doesNotMatch(diff, /dXNlcg|b2xk|bmV3|bW9y/);
  assert.deepEqual(
    diff.split('\n').filter((line) => /^[+-]/.test(line)),
    ['-  password: (hidden, before)', '+  password: (hidden, after)', '+  more: (hidden)'],
  );
  const created = await compareObjects([secret({ password: 'bmV3' })], means(fakeApi({}).api));
  assert.match(created.changes[0]?.diff ?? '', /password: \(hidden\)/);
});

const ignoring: [string, object, boolean][] = [
  ['of its kind', { kind: 'ConfigMap', jsonPointers: ['/data/a'] }, true],
  ['of every kind', { group: '*', kind: '*', jsonPointers: ['/data/a'] }, true],
  ['of another group', { group: 'apps', kind: 'ConfigMap', jsonPointers: ['/data/a'] }, false],
  ['of another name', { kind: 'ConfigMap', name: 'other', jsonPointers: ['/data/a'] }, false],
  ['of another namespace', { kind: 'ConfigMap', namespace: 'other', jsonPointers: ['/data/a'] }, false],
  ['of another field', { kind: 'ConfigMap', jsonPointers: ['/data/b', '/nothing/here', '/data/a/deeper'] }, false],
];
for (const [what, entry, hides] of ignoring) {
  test(`a field that the Application ignores ${what} ${hides ? 'does not show' : 'shows'}`, async () => {
    const { api } = serving(settings({ a: '1' }), settings({ a: '2' }));
    const { changes } = await compareObjects([settings({ a: '2' })], {
      ...means(api),
      ignored: [entry as { kind: string }],
    });
    assert.equal(changes.length, hides ? 0 : 1);
  });
}

test('a pointer finds keys with slashes and items of lists, and leaves the object itself alone', () => {
  const before = object('ConfigMap', 'c', { list: ['a', 'b'] }, { 'x/y~z': '1', other: '2' });
  const pointers = ['/metadata/annotations/x~1y~0z', '/list/0'];
  const after = normalised(before, [{ kind: 'ConfigMap', jsonPointers: pointers }]);
  assert.deepEqual([after.metadata.annotations, after.list], [{ other: '2' }, ['b']]);
  assert.deepEqual(before.list, ['a', 'b']);
});

test('what Argo CD takes out of an Application again is no difference, and what says something is one', async () => {
  const registered = (source: object, more: object = {}) => {
    const spec = { source: { repoURL: 'https://example.com/a.git', path: 'overlay', ...source }, ...more };
    return object('Application', 'web', { spec }, {}, 'argoproj.io/v1alpha1');
  };
  const live = registered({});
  const written = [
    registered({ kustomize: {} }),
    registered({ helm: { valueFiles: [], skipCrds: false } }),
    registered({ directory: { recurse: false, jsonnet: {} }, plugin: {} }, { syncPolicy: { syncOptions: [] } }),
  ];
  for (const one of written) assert.deepEqual(normalised(one), normalised(live), JSON.stringify(one.spec));
  const saying = [
    registered({ kustomize: { namePrefix: 'a-' } }),
    registered({ directory: { recurse: true } }),
    registered({}, { syncPolicy: { automated: {} } }),
  ];
  for (const one of saying) assert.deepEqual(normalised(one).spec, one.spec);
  const several = { spec: { sources: [{ repoURL: 'https://example.com/a.git', helm: {} }] } };
  assert.deepEqual(normalised(object('Application', 'web', several, {}, 'argoproj.io/v1alpha1')).spec, {
    sources: [{ repoURL: 'https://example.com/a.git' }],
  });
  // Of another kind, an empty map may mean something: it selects all pods.
  const policy = object('NetworkPolicy', 'all', { spec: { podSelector: {} } }, {}, 'networking.k8s.io/v1');
  assert.deepEqual(normalised(policy).spec, policy.spec);
});
