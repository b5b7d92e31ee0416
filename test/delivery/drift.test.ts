import assert from 'node:assert/strict';
import { test } from 'node:test';
import { driftChanges, fieldPaths, manualEdits } from '../../scripts/delivery/drift/changes.ts';
import { driftLines, findDrift } from '../../scripts/delivery/drift/drift.ts';
import { episodesIn, selfHealsIn } from '../../scripts/delivery/drift/self-heals.ts';
import { Unreachable } from '../../scripts/kubernetes/api/api.ts';
import { identityOf, type KubeObject, type ManagedFields } from '../../scripts/kubernetes/objects.ts';
import type { KubeEvent } from '../../scripts/kubernetes/types.ts';
import type { Application, Source, SyncRecord } from '../../scripts/repository/applications.ts';
import { made } from '../support/fake-cluster.ts';
import { fakeContext } from '../support/fakes.ts';

test('fields are told as paths', () => {
  for (const [tree, paths] of [
    [{ 'f:spec': { 'f:replicas': {} } }, ['spec.replicas']],
    [{ 'f:containers': { 'k:{"name":"core-go"}': { '.': {}, 'f:image': {} } } }, ['containers[core-go].image']],
    [{ 'f:ports': { 'k:{"port":80,"protocol":"TCP"}': {} } }, ['ports[80 TCP]']],
    [{ 'f:labels': { '.': {}, 'f:k8s.io/name': {}, 'f:tier': {} } }, ['labels[k8s.io/name]', 'labels.tier']],
    [{ 'f:finalizers': { 'v:"example.com/hold"': {} } }, ['finalizers[example.com/hold]']],
    [{ 'f:data': { 'i:1': {} } }, ['data[1]']],
  ] as const)
    assert.deepEqual(fieldPaths(tree), paths);
});

const time = '2026-11-26T14:40:12Z';
const managed = (manager: string, more: Partial<ManagedFields> = {}): ManagedFields => ({
  manager,
  operation: 'Update',
  time,
  fieldsV1: { 'f:spec': { 'f:replicas': {} } },
  ...more,
});
const byKubectl = managed('kubectl', { subresource: 'scale' });
const lastApplied = { 'f:metadata': { 'f:annotations': { 'f:kubectl.kubernetes.io/last-applied-configuration': {} } } };

test('what controllers wrote, and kubectl’s own notes, are no change by hand; what any other tool wrote is', () => {
  for (const entry of [
    managed('argocd-controller', { operation: 'Apply' }),
    managed('kube-controller-manager', { subresource: 'scale' }),
    managed('nginx-ingress-controller', { subresource: 'status' }),
    managed('platform-ops', { operation: 'Apply' }),
    managed('kubectl-edit', { fieldsV1: {} }),
    managed('kubectl-client-side-apply', { fieldsV1: lastApplied }),
  ])
    assert.deepEqual(manualEdits({ name: 'core-go', managedFields: [entry] }), [], entry.manager);
  for (const by of ['kubectl', 'kubectl-edit', 'kubectl-client-side-apply', 'argocd-server', 'helm'])
    assert.deepEqual(manualEdits({ name: 'core-go', managedFields: [managed(by)] }), [
      { by, at: time, fields: ['spec.replicas'] },
    ]);
});

const names = { namespace: 'default', name: 'core-go' };
const resource = { group: 'apps', version: 'v1', kind: 'Deployment', ...names, status: 'Synced' };
const deployment = (managedFields: ManagedFields[], metadata: Partial<KubeObject['metadata']> = {}): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { ...names, managedFields, ...metadata },
});
function application(status: Application['status'], metadata: Partial<KubeObject['metadata']> = {}): Application {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: { name: 'core-go', namespace: 'argocd', ...metadata },
    spec: { source: { path: 'helm/core-go' } as Source },
    status: {
      sync: { status: 'Synced', revision: 'aaa' },
      reconciledAt: '2026-11-26T14:41:00Z',
      operationState: { phase: 'Succeeded', syncResult: { revision: 'aaa' } },
      resources: [resource],
      ...status,
    },
  };
}
const present = (...objects: KubeObject[]) => new Map(objects.map((object) => [identityOf(object), object]));
const outOfSync = { resources: [{ ...resource, status: 'OutOfSync' }] };
const pruned = { resources: [{ ...resource, status: 'OutOfSync', requiresPruning: true }] };
const operation = (phase: string, revision: string) => ({ operationState: { phase, syncResult: { revision } } });
const deploying = { ...outOfSync, ...operation('Succeeded', 'before') };
const running = { ...outOfSync, ...operation('Running', 'aaa') };
const appliedAt = (at: string) => deployment([managed('argocd-controller', { operation: 'Apply', time: at })]);
const scaled = deployment([managed('kube-controller-manager', { subresource: 'scale' }), managed('argocd-controller')]);

const changes: [string, Application, KubeObject | undefined, told?: string][] = [
  ['an edit that Argo CD sees', application(outOfSync), deployment([byKubectl]), 'edited by kubectl: sees it'],
  ['one that it has looked at and leaves', application({}), deployment([byKubectl]), 'edited by kubectl: leaves it'],
  [
    'one of the second in which it looked',
    application({ reconciledAt: time }),
    deployment([byKubectl]),
    'edited by kubectl: has not looked yet',
  ],
  ['a removed field, which no manager records', application(outOfSync), deployment([]), 'edited by : sees it'],
  ['an object that is gone', application({}), undefined, 'deleted by : has not looked yet'],
  ['one that Argo CD knows is gone', application(outOfSync), undefined, 'deleted by : sees it'],
  ['one that is leaving', application(outOfSync), deployment([], { deletionTimestamp: time }), 'deleted by : sees it'],
  ['what Argo CD reverted after its look', application(outOfSync), appliedAt('2026-11-26T14:41:00Z')],
  ['before its look', application(outOfSync), appliedAt('2026-11-26T14:40:59Z'), 'edited by : sees it'],
  ['what Git adds', application(deploying), undefined],
  ['what Git changes', application(deploying), deployment([])],
  ['what a running sync changes', application(running), deployment([])],
  ['what Git removed, gone', application(pruned), undefined],
  ['what Git removed, edited before', application(pruned), deployment([byKubectl])],
  ['an Application that is being deleted', application(outOfSync, { deletionTimestamp: time }), undefined],
  ['the autoscaler’s pods', application({}), scaled],
];
test('what counts as a change by hand, and what Argo CD does about it', () => {
  for (const [what, watched, object, told] of changes) {
    const [change, ...more] = driftChanges(watched, present(...(object ? [object] : [])));
    const found = change && `${change.what} by ${change.edits.map(({ by }) => by)}: ${change.argocd}`;
    assert.deepEqual([found, more], [told, []], what);
  }
  assert.deepEqual(driftChanges(application(outOfSync), present(deployment([managed('kubectl-edit')]))), [
    {
      application: 'core-go',
      kind: 'Deployment',
      ...names,
      what: 'edited',
      edits: [{ by: 'kubectl-edit', at: time, fields: ['spec.replicas'] }],
      argocd: 'sees it',
    },
  ]);
});

const start = Date.parse('2026-11-26T14:40:12.250Z');
/** What the API server makes of a time: whole seconds. */
const stamp = (milliseconds: number) => new Date(Math.floor(milliseconds / 1000) * 1000).toISOString();
/** An event of Argo CD's controller, so many milliseconds after the start. */
function event(after: number, message: string, name = 'core-go'): KubeEvent {
  const nanoseconds = (BigInt(start + after) * 1_000_000n + 77n).toString(16);
  const about = { message, lastTimestamp: stamp(start + after), involvedObject: { name } };
  return { ...made('Event', `${name}.${nanoseconds}`), ...about };
}
const noticed = 'Updated sync status: Synced -> OutOfSync';
const synced = 'Updated sync status: OutOfSync -> Synced';
const begun = `Initiated automated sync to 'aaa'`;
const done = (kind: string) => `${kind} operation to aaa succeeded`;
const healing = (kind: string, after = 0, name?: string) => [
  event(after, begun, name),
  event(after + 40, noticed, name),
  event(after + 50, 'Updated health status: Healthy -> Progressing', name),
  event(after + 900, done(kind), name),
  event(after + 1400, synced, name),
];

test('events make an episode, in whatever order they come and whichever others there are', () => {
  const others = [event(20, noticed, 'api-node'), event(2000, 'Updated health status: a -> b')];
  const whole = {
    application: 'core-go',
    noticed: start,
    started: start,
    completed: start + 900,
    synced: start + 1400,
  };
  const episode = { ...whole, revision: 'aaa', partial: true };
  assert.deepEqual(episodesIn([...healing('Partial sync'), ...others].toReversed()), [episode]);
  // Argo CD may begin a second operation before it sees what came of the first.
  const again = [event(950, begun), event(1500, done('Partial sync'))];
  assert.deepEqual(episodesIn([...healing('Sync'), ...again]), [{ ...episode, partial: false }]);
});

test('an episode whose beginning is forgotten, that failed, or that is not over, is none', () => {
  const all = healing('Partial sync');
  const failed = all.map((one) => ({ ...one, message: one.message?.replace(' succeeded', ' failed: x') ?? '' }));
  for (const events of [all.slice(1), all.slice(0, -1), failed]) assert.deepEqual(episodesIn(events), []);
});

for (const [what, earlier] of [
  ['an operation that Argo CD began after all was well', [begun, done('Sync')]],
  ['a sync that you asked Argo CD for', [noticed, done('Sync'), synced]],
  ['a change that was reverted by hand', [noticed, synced]],
] as const) {
  test(`${what} does not take in the next heal`, () => {
    const before = earlier.map((message, index) => event(index * 100, message));
    const found = episodesIn([...before, ...healing('Partial sync', 60_000)]);
    assert.deepEqual(
      found.map((one) => [one.noticed - start, one.synced - start, one.partial]),
      [[60_000, 61_400, true]],
    );
  });
}

const set = (at: number) => managed('argocd-controller', { operation: 'Apply', time: stamp(start + at) });
const never = () => assert.fail('no chart is compared');
const heals = (
  events: KubeEvent[],
  watched: Application,
  objects: KubeObject[],
  sameChart: (one: string, other: string) => boolean = never,
) =>
  selfHealsIn(episodesIn(events), [watched], {
    present: present(...objects),
    sameChart: async (_, one, other) => sameChart(one, other),
  });

test('a heal tells what was set back or recreated, when, and how long it took', async () => {
  const service = { version: 'v1', kind: 'Service', ...names, status: 'Synced' };
  const watched = application({ resources: [resource, service, { ...resource, name: 'gone' }] });
  const recreated = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...names, creationTimestamp: '2026-11-26T14:40:12Z', managedFields: [set(0)] },
  };
  const old = deployment([set(0)], { creationTimestamp: '2026-11-26T13:00:00Z' });
  assert.deepEqual(await heals(healing('Partial sync'), watched, [old, recreated]), [
    {
      application: 'core-go',
      at: '2026-11-26T14:40:12.250Z',
      seconds: 1.4,
      revision: 'aaa',
      objects: [
        { kind: 'Deployment', ...names, what: 'set back' },
        { kind: 'Service', ...names, what: 'made anew' },
      ],
    },
  ]);
  // What was written to again since tells nothing any more, and neither does an Application that is gone.
  const [heal] = await heals(healing('Partial sync'), application({}), [deployment([set(60_000)])]);
  assert.deepEqual(heal?.objects, []);
  assert.deepEqual(await heals(healing('Partial sync', 0, 'gone'), application({}), []), []);
});

const deployed = (revision: string, minutes: number, source: object = {}): SyncRecord => ({
  revision,
  deployedAt: stamp(start + 900 + minutes * 60_000),
  source: { path: 'helm/core-go', targetRevision: 'HEAD', ...source },
});
const [older, before, own, later] = [
  deployed('older', -9),
  deployed('before', -5),
  deployed('aaa', 0),
  deployed('later', 5),
];
const sameSecond = [deployed('before', 0), own, deployed('later', 0)];
const otherValues = deployed('aaa', -5, { helm: { valueFiles: ['b.yaml'] } });
/** `same`: what Git says of the commit `before` and this one; undefined where it must not be asked. */
const histories: [string, string, SyncRecord[], same: boolean | undefined, heal: boolean][] = [
  ['the same commit before', 'Partial sync', [deployed('aaa', -5)], undefined, true],
  ['also with one since', 'Partial sync', [deployed('aaa', -5), later], undefined, true],
  ['another commit with the same chart', 'Partial sync', [before], true, true],
  ['another commit with another chart', 'Partial sync', [before], false, false],
  ['older than the history', 'Partial sync', [later], undefined, true],
  ['a commit that left the chart alone', 'Sync', [older, before, own, later], true, true],
  ['a commit that changed the chart', 'Sync', [older, before, own, later], false, false],
  ['two deployments within a second', 'Sync', sameSecond, false, false],
  ['the commit by another name', 'Sync', [deployed('aaa', -5, { targetRevision: 'aaa' }), own], undefined, true],
  ['other values files', 'Sync', [otherValues, own], undefined, false],
  ['nothing known of before', 'Sync', [own], undefined, false],
  ['no history', 'Sync', [], undefined, false],
];
for (const [what, kind, history, same, heal] of histories) {
  test(`a ${kind.toLowerCase()} after ${what} is ${heal ? 'a' : 'no'} heal`, async () => {
    let asked = 0;
    const found = await heals(healing(kind), application({ history }), [deployment([set(0)])], (...commits) => {
      asked += 1;
      assert.deepEqual(commits, ['before', 'aaa']);
      return same ?? never();
    });
    assert.deepEqual([found.length === 1, asked === 1], [heal, same !== undefined]);
  });
}

test('what was changed and what was reverted is a line each, of heals the latest five', () => {
  assert.deepEqual(driftLines({ now: [], healed: [], drilled: [] }), []);
  const about = { application: 'core-go', kind: 'Service', ...names };
  const clock = new Date(time).toTimeString().slice(0, 8);
  const fields = ['spec.a', 'spec.b', 'spec.c', 'spec.d'];
  const heal = { application: 'core-go', at: time, revision: 'aaa' };
  const lines = driftLines({
    now: [
      { ...about, what: 'deleted', edits: [], argocd: 'has not looked yet' },
      { ...about, what: 'edited', edits: [{ by: 'kubectl-edit', at: time, fields }], argocd: 'sees it' },
      { ...about, what: 'edited', edits: [{ by: 'kubectl', at: time, fields: ['spec.a'] }], argocd: 'leaves it' },
    ],
    healed: [
      ...[0, 1, 2, 3, 4].map((seconds) => ({ ...heal, seconds, objects: [] })),
      { ...heal, seconds: 1.4, objects: [{ ...about, what: 'made anew' }] },
    ],
    drilled: [{ application: 'core-go', drill: 'prune' }],
  });
  assert.match(lines[0] ?? '', /^✖ Application core-go .*\(prune\)/);
  assert.deepEqual(lines.slice(2, 5), [
    '  ✖ Service default/core-go was deleted; Argo CD has not looked since',
    `  ✖ Service default/core-go: spec.a, spec.b, spec.c and 1 more by kubectl-edit at ${clock}; Argo CD sees it`,
    `  ! Service default/core-go: spec.a by kubectl at ${clock}; Argo CD sees no difference from Git, so it stays`,
  ]);
  assert.match(lines[6] ?? '', /1 earlier one$/);
  assert.deepEqual(lines.slice(-2), [
    `  ✔ ${clock}  something of core-go set back in 4.0 s`,
    `  ✔ ${clock}  Service default/core-go recreated in 1.4 s`,
  ]);
  assert.equal(lines.length, 12);
});

test('one look finds both, asks for each kind once, and is quiet without an answer', async () => {
  const asked: string[] = [];
  const watched = application({ resources: [resource, { ...resource, name: 'gone' }], history: [deployed('aaa', -5)] });
  watched.metadata.annotations = { 'platform-ops/drill': 'prune' };
  const context = (json: () => Promise<object>) =>
    fakeContext({
      view: () => ({
        list: async () => [watched],
        listHeads: async (apiVersion: string, kind: string) => {
          asked.push(`${apiVersion} ${kind}`);
          return [deployment([set(0), byKubectl])];
        },
      }),
      api: () => ({ json }),
    });
  const { now, healed, drilled } = await findDrift(context(async () => ({ items: healing('Partial sync') })));
  assert.deepEqual(now.map(({ name, what }) => `${name} ${what}`).toSorted(), ['core-go edited', 'gone deleted']);
  assert.deepEqual(
    healed.map(({ objects }) => objects.length),
    [1],
  );
  assert.deepEqual([drilled, asked], [[{ application: 'core-go', drill: 'prune' }], ['apps/v1 Deployment']]);
  const silent = () => Promise.reject(new Unreachable('no answer'));
  assert.deepEqual(await findDrift(context(silent)), { now: [], healed: [], drilled: [] });
});
