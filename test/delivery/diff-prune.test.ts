import assert from 'node:assert/strict';
import { test } from 'node:test';
import { trackingId } from '../../scripts/cluster/ownership.ts';
import { isKindAllowed, leftObjects, listDeployable } from '../../scripts/delivery/diff/targets.ts';
import type { KubeObject, Metadata } from '../../scripts/kubernetes/objects.ts';
import { application, facts, fakeApi, object } from '../support/diff.ts';

/** An object that an Application deployed. */
function deployed(name: string, metadata: Partial<Metadata> = {}, by = 'web'): KubeObject {
  const one = object('ConfigMap', name);
  const annotations = { ...metadata.annotations, ...trackingId(one, by) };
  return { ...one, metadata: { ...one.metadata, ...metadata, annotations } };
}
const option = (value: string) => ({ annotations: { 'argocd.argoproj.io/sync-options': value } });
const owner = [{ kind: 'SealedSecret', name: 's', uid: 'u' }];

test('what an Application deployed and renders no more is pruned; all else stays out of it', () => {
  const live = [
    deployed('gone'),
    deployed('there'),
    deployed('of-another', {}, 'api'),
    object('ConfigMap', 'by-hand'),
    object('ConfigMap', 'a-copy', {}, trackingId(object('ConfigMap', 'gone'), 'web')),
    deployed('owned', { ownerReferences: owner }),
    deployed('going', { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    deployed('hook', { annotations: { 'helm.sh/hook': 'pre-install' } }),
  ];
  const left = leftObjects(application(), live, [object('ConfigMap', 'there')]);
  assert.deepEqual(
    left.map(({ object, because }) => [object.metadata.name, because]),
    [['gone', undefined]],
  );
});

const kept: [string, object, Partial<Metadata>, RegExp | undefined][] = [
  ['an object that says so', {}, option('Prune=false'), /Prune=false/],
  ['one that says so among others', {}, option('Replace=true, Prune=false'), /Prune=false/],
  ['one that waits for somebody', {}, option('Prune=confirm'), /Prune=confirm/],
  [
    'an Application that says so',
    { syncPolicy: { automated: { prune: true }, syncOptions: ['Prune=false'] } },
    {},
    /Prune=false/,
  ],
  ['an Application that prunes by hand', { syncPolicy: { automated: {} } }, {}, /does not prune by itself/],
  ['an Application that syncs by hand', { syncPolicy: undefined }, {}, /does not prune by itself/],
  ['nothing', {}, {}, undefined],
  [
    'an Application that says so of an object that says otherwise',
    { syncPolicy: { automated: { prune: true }, syncOptions: ['Prune=false'] } },
    option('Prune=true'),
    undefined,
  ],
];
for (const [what, spec, metadata, because] of kept) {
  test(`${what} ${because ? 'keeps an object' : 'keeps no object'} that is rendered no more`, () => {
    const [left] = leftObjects(application('web', spec), [deployed('gone', metadata)], []);
    if (because) assert.match(left?.because ?? '', because);
    else assert.deepEqual([left?.object.metadata.name, left?.because], ['gone', undefined]);
  });
}

const project = (spec: object): KubeObject => ({
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'AppProject',
  metadata: { name: 'platform' },
  spec,
});
const [anything, config, workloads] = [
  { group: '*', kind: '*' },
  { group: '', kind: 'ConfigMap' },
  { group: 'apps', kind: 'Deployment' },
];
const rules: [string, object, 'ConfigMap' | 'Namespace', boolean][] = [
  ['lists it', { namespaceResourceWhitelist: [config] }, 'ConfigMap', true],
  ['lists another', { namespaceResourceWhitelist: [workloads] }, 'ConfigMap', false],
  ['lists none', { namespaceResourceWhitelist: [] }, 'ConfigMap', false],
  ['says nothing', {}, 'ConfigMap', true],
  ['lists everything', { namespaceResourceWhitelist: [anything] }, 'ConfigMap', true],
  ['forbids it', { namespaceResourceBlacklist: [config] }, 'ConfigMap', false],
  ['says nothing', {}, 'Namespace', false],
  ['lists everything', { clusterResourceWhitelist: [anything] }, 'Namespace', true],
  [
    'forbids it',
    { clusterResourceWhitelist: [anything], clusterResourceBlacklist: [{ group: '', kind: 'Namespace' }] },
    'Namespace',
    false,
  ],
];
for (const [what, spec, kind, allowed] of rules) {
  test(`a project that ${what} ${allowed ? 'allows' : 'does not allow'} a ${kind}`, () => {
    assert.equal(isKindAllowed(project(spec), object(kind, 'x'), kind === 'ConfigMap'), allowed);
  });
}

test('only kinds that the project allows, and that can be listed and deleted, are looked at', async () => {
  const { api } = fakeApi({ a: object('ConfigMap', 'a'), b: object('Secret', 'b') });
  const asked: string[] = [];
  const listing = {
    ...api,
    listMetadata: async (apiVersion: string, kind: string) => {
      asked.push(kind);
      return api.listMetadata(apiVersion, kind);
    },
  };
  const found = await listDeployable(listing, facts, project({ namespaceResourceWhitelist: [config, workloads] }));
  assert.deepEqual(asked, ['ConfigMap', 'Deployment']);
  assert.deepEqual(
    found.map(({ metadata }) => metadata.name),
    ['a'],
  );
  asked.length = 0;
  await listDeployable(listing, facts, project({}));
  assert.ok(!asked.includes('Binding') && asked.includes('Secret') && !asked.includes('Namespace'), asked.join());
});
