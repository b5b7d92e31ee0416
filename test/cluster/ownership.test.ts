import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { byDescent, isInside, isTracked, type Owner, ownerOf } from '../../scripts/cluster/ownership.ts';
import type { DiscoveredObject } from '../../scripts/kubernetes/api/discovery.ts';
import { type KubeObject, type Metadata, nameOf } from '../../scripts/kubernetes/objects.ts';
import { made } from '../support/fake-cluster.ts';

const finished = new Date('2026-03-01T10:00:00Z');
const [before, after] = ['2026-03-01T10:00:00Z', '2026-03-01T10:00:01Z'];
const by = (...managers: string[]) => managers.map((manager) => ({ manager, operation: 'Update' }));
const applied = { manager: 'platform-ops', operation: 'Apply' };
const claims = [{ name: 'argo-cd', owns: ({ metadata }: KubeObject) => metadata.name === 'argocd-cm' }];
const grounds = { territory: { owns: () => true, within: () => true }, claims, finished };

const cases: [string, KubeObject, Owner['of']][] = [
  ['one that a component knows', made('ConfigMap', 'argocd-cm', { creationTimestamp: after }), 'component'],
  [
    'one that a component knows, however old',
    made('ConfigMap', 'argocd-cm', { creationTimestamp: before }),
    'component',
  ],
  ['one as old as the cluster', made('DaemonSet', 'some-cni', { creationTimestamp: before }), 'kubernetes'],
  ['a younger one', made('DaemonSet', 'some-cni', { creationTimestamp: after }), 'person'],
  [
    'one that an earlier version applied',
    made('Role', 'old', { creationTimestamp: after, managedFields: [...by('kubectl-edit'), applied] }),
    'platform',
  ],
  [
    'one that somebody only patched in the name of the platform',
    made('Role', 'old', { creationTimestamp: after, managedFields: by('platform-ops') }),
    'person',
  ],
  [
    'one that the control plane made later',
    made('IPAddress', '10.0.0.1', { creationTimestamp: after, managedFields: by('kube-apiserver') }),
    'kubernetes',
  ],
  [
    'one that somebody made and the control plane wrote to',
    made('Deployment', 'mine', {
      creationTimestamp: after,
      managedFields: by('kubectl-create', 'kube-controller-manager'),
    }),
    'person',
  ],
  [
    'a role that the API server made again',
    made('ClusterRole', 'edit', {
      creationTimestamp: after,
      labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' },
    }),
    'kubernetes',
  ],
  [
    'the account that each namespace has, though `up` gave it a pull secret',
    made('ServiceAccount', 'default', { creationTimestamp: after, managedFields: [applied] }),
    'kubernetes',
  ],
  [
    'a volume that a provisioner made',
    made('PersistentVolume', 'pvc-1', {
      creationTimestamp: after,
      annotations: { 'pv.kubernetes.io/provisioned-by': 'rancher.io/local-path' },
    }),
    'kubernetes',
  ],
  ['a volume that somebody made', made('PersistentVolume', 'mine', { creationTimestamp: after }), 'person'],
];
for (const [what, object, owner] of cases) {
  test(`${what}: ${owner}`, () => assert.equal(ownerOf(object, grounds).of, owner));
}

const found = (kind: string, name: string, metadata: Partial<Metadata> = {}, apiVersion = 'v1'): DiscoveredObject => ({
  ...made(kind, name, metadata, apiVersion),
  resource: `${kind.toLowerCase()}s`,
});
const ownedBy = (owner: KubeObject, uid = owner.metadata.uid ?? '') => ({
  ownerReferences: [{ kind: owner.kind, name: owner.metadata.name, uid }],
});

test('of what owns each other only the topmost stands by itself, and what lost its owner is told apart', () => {
  const deployment = found('Deployment', 'web');
  const replicaSet = found('ReplicaSet', 'web-1', ownedBy(deployment));
  const pod = found('Pod', 'web-1-1', ownedBy(replicaSet));
  const orphan = found('Pod', 'gone-1', ownedBy(replicaSet, 'another'));
  const ofUnseenKind = found('ConfigMap', 'x', { ownerReferences: [{ kind: 'Lease', name: 'l', uid: 'unseen' }] });
  const { roots, orphans } = byDescent([pod, replicaSet, deployment, orphan, ofUnseenKind]);
  assert.deepEqual(roots, [deployment]);
  assert.deepEqual(orphans, [orphan]);
});

test('an object is inside its namespace and its definition, and in no other', () => {
  const mine = found('Widget', 'mine', { namespace: 'tools' }, 'example.com/v1');
  for (const [kind, name, inside] of [
    ['Namespace', 'tools', true],
    ['Namespace', 'default', false],
    ['CustomResourceDefinition', 'widgets.example.com', true],
    ['CustomResourceDefinition', 'widgets.example.org', false],
    ['ConfigMap', 'tools', false],
  ] as const) {
    assert.equal(isInside(mine, made(kind, name)), inside, `${kind} ${name}`);
  }
});

const tracked = (id: string, kind = 'Service', name = 'web', apiVersion = 'v1') =>
  isTracked(
    made(kind, name, { namespace: 'default', annotations: { 'argocd.argoproj.io/tracking-id': id } }, apiVersion),
    new Set(['web', 'team_web']),
  );
for (const [what, is, expected] of [
  ['of one of the Applications', tracked('web:/Service:default/web'), true],
  ['of an API group', tracked('web:apps/Deployment:default/web', 'Deployment', 'web', 'apps/v1'), true],
  ['of an Application in another namespace', tracked('team_web:/Service:default/web'), true],
  ["of somebody else's Application", tracked('other:/Service:default/web'), false],
  [
    'with an annotation that was copied from another object',
    tracked('web:/Service:default/web', 'Service', 'copy'),
    false,
  ],
  ['without an annotation', isTracked(made('Service', 'web'), new Set(['web', ''])), false],
] as const) {
  test(`an object ${what} is ${expected ? '' : 'not '}what Argo CD deployed for us`, () => assert.equal(is, expected));
}

test('whatever the platform applies outside its own namespaces has a field by which the API server keeps who applied it', () => {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const files = ['cluster', 'ingress', 'observability'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(root, folder, file)),
  );
  const objects = files
    .filter((file) => file.endsWith('.yaml'))
    .flatMap((file) => parseAllDocuments(readFileSync(file, 'utf8')).map((document) => document.toJS() as KubeObject))
    .filter((object) => object?.kind !== undefined && object.metadata !== undefined);
  assert(objects.some(({ kind }) => kind === 'Namespace'));
  const bare = objects.filter(({ apiVersion, kind, metadata: { name, namespace, ...metadata }, ...fields }) => {
    const isOutside = namespace === undefined || namespace === 'default' || namespace === 'kube-system';
    return isOutside && Object.keys({ ...metadata, ...fields }).length === 0;
  });
  assert.deepEqual(bare.map(nameOf), []);
});
