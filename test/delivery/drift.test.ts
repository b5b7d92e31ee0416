import assert from 'node:assert/strict';
import { test } from 'node:test';
import { driftChanges, fieldPaths, keyOf, manualEdits } from '../../scripts/delivery/drift/changes.ts';
import { driftLines, findDrift } from '../../scripts/delivery/drift/drift.ts';
import { type ApplicationEvent, episodesIn, selfHealsIn } from '../../scripts/delivery/drift/self-heals.ts';
import { Unreachable } from '../../scripts/kubernetes/api/api.ts';
import type { KubeObject, ManagedFields } from '../../scripts/kubernetes/objects.ts';
import type { Application, ApplicationResource, SyncRecord } from '../../scripts/repository/applications.ts';
import { fakeContext } from '../support/fakes.ts';

const paths: [string, object, string[]][] = [
  ['a number', { 'f:spec': { 'f:replicas': {} } }, ['spec.replicas']],
  [
    'an image, in the list of containers',
    {
      'f:spec': {
        'f:template': { 'f:spec': { 'f:containers': { 'k:{"name":"core-go"}': { '.': {}, 'f:image': {} } } } },
      },
    },
    ['spec.template.spec.containers[core-go].image'],
  ],
  [
    'a whole entry of a list that is known by two keys',
    { 'f:spec': { 'f:ports': { 'k:{"port":80,"protocol":"TCP"}': {} } } },
    ['spec.ports[80 TCP]'],
  ],
  [
    'labels, with dots in their names and without',
    { 'f:metadata': { 'f:labels': { '.': {}, 'f:app.kubernetes.io/name': {}, 'f:tier': {} } } },
    ['metadata.labels[app.kubernetes.io/name]', 'metadata.labels.tier'],
  ],
  [
    'a value of a set',
    { 'f:metadata': { 'f:finalizers': { 'v:"example.com/hold"': {} } } },
    ['metadata.finalizers[example.com/hold]'],
  ],
  ['a place in a list', { 'f:data': { 'i:1': {} } }, ['data[1]']],
];
for (const [what, tree, expected] of paths) {
  test(`the path of ${what}`, () => assert.deepEqual(fieldPaths(tree), expected));
}

const time = '2026-11-26T14:40:12Z';
const replicas = { 'f:spec': { 'f:replicas': {} } };
const managed = (manager: string, more: Partial<ManagedFields> = {}): ManagedFields => ({
  manager,
  operation: 'Update',
  time,
  fieldsV1: replicas,
  ...more,
});
const byKubectl = managed('kubectl', { subresource: 'scale' });

for (const entry of [
  managed('argocd-controller', { operation: 'Apply' }),
  managed('kube-controller-manager', { subresource: 'scale' }),
  managed('kube-controller-manager', { subresource: 'status' }),
  managed('nginx-ingress-controller', { subresource: 'status' }),
  managed('platform-ops', { operation: 'Apply' }),
  managed('kubectl-edit', { fieldsV1: {} }),
  managed('kubectl-client-side-apply', {
    fieldsV1: { 'f:metadata': { 'f:annotations': { 'f:kubectl.kubernetes.io/last-applied-configuration': {} } } },
  }),
]) {
  test(`what ${entry.manager} wrote${entry.subresource ? ` by way of ${entry.subresource}` : ''} is no change by hand`, () => {
    assert.deepEqual(manualEdits({ name: 'core-go', managedFields: [entry] }), []);
  });
}
for (const manager of [
  'kubectl',
  'kubectl-edit',
  'kubectl-label',
  'kubectl-client-side-apply',
  'argocd-server',
  'helm',
]) {
  test(`what ${manager} wrote is`, () => {
    const edits = manualEdits({ name: 'core-go', managedFields: [byKubectl, managed(manager)].slice(1) });
    assert.deepEqual(edits, [{ by: manager, at: time, fields: ['spec.replicas'] }]);
  });
}

const resource: ApplicationResource = {
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  namespace: 'default',
  name: 'core-go',
  status: 'Synced',
};
const deployment = (managedFields: ManagedFields[], metadata: Partial<KubeObject['metadata']> = {}): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'core-go', namespace: 'default', managedFields, ...metadata },
});
function application(status: Application['status'], metadata: Partial<KubeObject['metadata']> = {}): Application {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: { name: 'core-go', namespace: 'argocd', ...metadata },
    spec: { source: { path: 'helm/core-go' } as Application['spec']['source'] },
    status: {
      sync: { status: 'Synced', revision: 'aaa' },
      reconciledAt: '2026-11-26T14:41:00Z',
      operationState: { phase: 'Succeeded', syncResult: { revision: 'aaa' } },
      resources: [resource],
      ...status,
    },
  };
}
const present = (...objects: KubeObject[]) =>
  new Map(objects.map((object) => [keyOf({ ...resource, kind: object.kind, name: object.metadata.name }), object]));
const outOfSync = { resources: [{ ...resource, status: 'OutOfSync' }] };
const told = (watched: Application, ...objects: KubeObject[]) =>
  driftChanges(watched, present(...objects)).map(({ what, edits, argocd }) => [
    what,
    edits.map(({ by }) => by).join(),
    argocd,
  ]);

test('a field that Git states and somebody changed is told with who, when and which', () => {
  const changes = driftChanges(application(outOfSync), present(deployment([managed('kubectl-edit')])));
  assert.deepEqual(changes, [
    {
      application: 'core-go',
      kind: 'Deployment',
      namespace: 'default',
      name: 'core-go',
      what: 'edited',
      edits: [{ by: 'kubectl-edit', at: time, fields: ['spec.replicas'] }],
      argocd: 'sees it',
    },
  ]);
});

test('a change that Argo CD has looked at and leaves is told as that, one it has not looked at as the other', () => {
  const edited = deployment([byKubectl]);
  assert.deepEqual(told(application({}), edited), [['edited', 'kubectl', 'leaves it']]);
  assert.deepEqual(told(application({ reconciledAt: time }), edited), [['edited', 'kubectl', 'has not looked yet']]);
});

test('an object that was deleted is told, before Argo CD sees it and after', () => {
  assert.deepEqual(told(application({})), [['deleted', '', 'has not looked yet']]);
  assert.deepEqual(told(application(outOfSync)), [['deleted', '', 'sees it']]);
  const leaving = deployment([], { deletionTimestamp: time });
  assert.deepEqual(told(application(outOfSync), leaving), [['deleted', '', 'sees it']]);
});

test('a difference that is in nobody’s book is told without a name, as when a field was taken away', () => {
  assert.deepEqual(told(application(outOfSync), deployment([])), [['edited', '', 'sees it']]);
});

test('what Argo CD has set right since it looked last is told no more', () => {
  const own = (time: string) => deployment([managed('argocd-controller', { operation: 'Apply', time })]);
  assert.deepEqual(told(application(outOfSync), own('2026-11-26T14:41:00Z')), []);
  assert.deepEqual(told(application(outOfSync), own('2026-11-26T14:40:59Z')), [['edited', '', 'sees it']]);
});

test('what Git is just changing is no change by hand: new, other or gone', () => {
  const deploying = { ...outOfSync, operationState: { phase: 'Succeeded', syncResult: { revision: 'before' } } };
  assert.deepEqual(told(application(deploying)), []);
  assert.deepEqual(told(application(deploying), deployment([])), []);
  const running = { ...outOfSync, operationState: { phase: 'Running', syncResult: { revision: 'aaa' } } };
  assert.deepEqual(told(application(running), deployment([])), []);
  const pruned = { resources: [{ ...resource, status: 'OutOfSync', requiresPruning: true }] };
  assert.deepEqual(told(application(pruned)), []);
  assert.deepEqual(told(application(pruned), deployment([byKubectl])), []);
  assert.deepEqual(told(application(outOfSync, { deletionTimestamp: time })), []);
});

test('the autoscaler’s pods and an untouched object are no change', () => {
  const scaled = deployment([
    managed('kube-controller-manager', { subresource: 'scale' }),
    managed('argocd-controller'),
  ]);
  assert.deepEqual(told(application({}), scaled), []);
});

const start = Date.parse('2026-11-26T14:40:12.250Z');
/** An event of Argo CD's controller, so many milliseconds after the start. */
function event(after: number, message: string, name = 'core-go'): ApplicationEvent {
  const nanoseconds = (BigInt(start + after) * 1_000_000n + 77n).toString(16);
  const lastTimestamp = new Date(Math.floor((start + after) / 1000) * 1000).toISOString();
  return { metadata: { name: `${name}.${nanoseconds}` }, involvedObject: { name }, message, lastTimestamp };
}
const healing = (kind: string, revision = 'aaa', after = 0) => [
  event(after, `Initiated automated sync to '${revision}'`),
  event(after + 40, 'Updated sync status: Synced -> OutOfSync'),
  event(after + 50, 'Updated health status: Healthy -> Progressing'),
  event(after + 900, `${kind} operation to ${revision} succeeded`),
  event(after + 1400, 'Updated sync status: OutOfSync -> Synced'),
];

test('events make an episode, in whatever order they come and whoever else writes some', () => {
  const others = [
    event(20, 'Updated sync status: Synced -> OutOfSync', 'api-node'),
    event(2000, 'Updated health status: a -> b'),
  ];
  const [episode, ...more] = episodesIn([...healing('Partial sync'), ...others].toReversed());
  assert.deepEqual(more, []);
  assert.deepEqual(episode, {
    application: 'core-go',
    noticed: start,
    started: start,
    completed: start + 900,
    synced: start + 1400,
    revision: 'aaa',
    partial: true,
  });
});

test('an operation that Argo CD begins before it sees what came of the first one belongs to the same episode', () => {
  const [start, noticed, , completed, synced] = healing('Sync') as [
    ApplicationEvent,
    ApplicationEvent,
    unknown,
    ApplicationEvent,
    ApplicationEvent,
  ];
  const again = [
    event(950, `Initiated automated sync to 'aaa'`),
    event(1500, 'Partial sync operation to aaa succeeded'),
  ];
  const [episode, ...more] = episodesIn([start, noticed, completed, synced, ...again]);
  assert.deepEqual(more, []);
  assert.equal(episode?.partial, false);
});

test('an episode whose beginning is forgotten, that failed, or that goes on, is none', () => {
  const all = healing('Partial sync');
  assert.deepEqual(episodesIn(all.slice(1)), []);
  assert.deepEqual(episodesIn(all.slice(0, -1)), []);
  const failed = all.map((one) => ({ ...one, message: one.message?.replace(' succeeded', ' failed: x') ?? '' }));
  assert.deepEqual(episodesIn(failed), []);
});

for (const [what, earlier] of [
  [
    'an operation that Argo CD began after all was well',
    [`Initiated automated sync to 'aaa'`, 'Sync operation to aaa succeeded'],
  ],
  [
    'a sync that somebody asked Argo CD for',
    [
      'Updated sync status: Synced -> OutOfSync',
      'Sync operation to aaa succeeded',
      'Updated sync status: OutOfSync -> Synced',
    ],
  ],
  [
    'a change that was undone by hand',
    ['Updated sync status: Synced -> OutOfSync', 'Updated sync status: OutOfSync -> Synced'],
  ],
] as const) {
  test(`${what} does not take in the next heal`, () => {
    const before = earlier.map((message, index) => event(index * 100, message));
    const found = episodesIn([...before, ...healing('Partial sync', 'aaa', 60_000)]);
    assert.deepEqual(
      found.map(({ noticed, synced, partial }) => [noticed - start, synced - start, partial]),
      [[60_000, 61_400, true]],
    );
  });
}

const set = (at: number): ManagedFields =>
  managed('argocd-controller', {
    operation: 'Apply',
    time: new Date(Math.floor((start + at) / 1000) * 1000).toISOString(),
  });
const never = () => assert.fail('no chart is compared');
const heals = (
  events: ApplicationEvent[],
  watched: Application,
  objects: KubeObject[],
  sameChart: (...of: string[]) => boolean = never,
) =>
  selfHealsIn(episodesIn(events), [watched], {
    present: present(...objects),
    sameChart: async (_, one, other) => sameChart(one, other),
  });

test('a partial sync is a heal, with what was set back or made anew, when, and how long it took', async () => {
  const service: ApplicationResource = {
    version: 'v1',
    kind: 'Service',
    namespace: 'default',
    name: 'core-go',
    status: 'Synced',
  };
  const watched = application({ resources: [resource, service, { ...resource, name: 'gone' }] });
  const remade: KubeObject = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: 'core-go',
      namespace: 'default',
      creationTimestamp: '2026-11-26T14:40:12Z',
      managedFields: [set(0)],
    },
  };
  const objects = new Map([
    [keyOf(resource), deployment([set(0)], { creationTimestamp: '2026-11-26T13:00:00Z' })],
    [keyOf(service), remade],
  ]);
  const found = await selfHealsIn(episodesIn(healing('Partial sync')), [watched], {
    present: objects,
    sameChart: never,
  });
  assert.deepEqual(found, [
    {
      application: 'core-go',
      at: '2026-11-26T14:40:12.250Z',
      seconds: 1.4,
      revision: 'aaa',
      objects: [
        { kind: 'Deployment', namespace: 'default', name: 'core-go', what: 'set back' },
        { kind: 'Service', namespace: 'default', name: 'core-go', what: 'made anew' },
      ],
    },
  ]);
});

test('of an object that was written to again since, nobody can tell any more', async () => {
  const [heal] = await heals(healing('Partial sync'), application({}), [deployment([set(60_000)])]);
  assert.deepEqual(heal?.objects, []);
});

const deployed = (revision: string, minutes: number, source: object = {}) => ({
  revision,
  deployedAt: new Date(Math.floor((start + 900) / 1000) * 1000 + minutes * 60_000).toISOString(),
  source: { path: 'helm/core-go', targetRevision: 'HEAD', ...source },
});
const isHeal = async (kind: string, history: SyncRecord[], sameChart?: (one: string, other: string) => boolean) =>
  (await heals(healing(kind), application({ history }), [deployment([set(0)])], sameChart)).length === 1;

test('a partial sync is a heal where the commit was deployed before, or one with the same chart', async () => {
  const compare = (same: boolean) => (one: string, other: string) => {
    assert.deepEqual([one, other], ['before', 'aaa']);
    return same;
  };
  assert.equal(await isHeal('Partial sync', [deployed('aaa', -5)]), true);
  assert.equal(await isHeal('Partial sync', [deployed('aaa', -5), deployed('later', 5)]), true);
  assert.equal(await isHeal('Partial sync', [deployed('before', -5)], compare(true)), true);
  assert.equal(await isHeal('Partial sync', [deployed('before', -5)], compare(false)), false);
  assert.equal(await isHeal('Partial sync', [deployed('later', 5)]), true, 'older than the history');
});

test('a whole sync is a heal behind a commit that left the chart alone, also after another way to name the commit', async () => {
  const asked: string[] = [];
  const compare = (same: boolean) => (one: string, other: string) => {
    asked.push(`${one} ${other}`);
    return same;
  };
  const history = [deployed('older', -9), deployed('before', -5), deployed('aaa', 0), deployed('later', 5)];
  assert.equal(await isHeal('Sync', history, compare(true)), true);
  assert.equal(await isHeal('Sync', history, compare(false)), false);
  // Two deployments in one second, and the time stamps have no more than that.
  const next = [deployed('before', 0), deployed('aaa', 0), deployed('later', 0)];
  assert.equal(await isHeal('Sync', next, compare(false)), false);
  assert.deepEqual(asked, ['before aaa', 'before aaa', 'before aaa']);
  assert.equal(await isHeal('Sync', [deployed('aaa', -5, { targetRevision: 'aaa' }), deployed('aaa', 0)]), true);
});

test('a whole sync is no heal where the values files are others, or nothing is known of the time before', async () => {
  assert.equal(
    await isHeal('Sync', [deployed('aaa', -5, { helm: { valueFiles: ['b.yaml'] } }), deployed('aaa', 0)]),
    false,
  );
  assert.equal(await isHeal('Sync', [deployed('aaa', 0)]), false);
  assert.equal(await isHeal('Sync', []), false);
});

test('an Application that is gone has no heals', async () => {
  const events = healing('Partial sync').map((one) => ({ ...one, involvedObject: { name: 'gone' } }));
  assert.deepEqual(await heals(events, application({}), []), []);
});

test('a person reads what was changed and what was undone, and nothing where nothing was', () => {
  assert.deepEqual(driftLines({ now: [], healed: [], drilled: [] }), []);
  const about = { application: 'core-go', kind: 'Service', namespace: 'default', name: 'core-go' };
  const clock = new Date(time).toTimeString().slice(0, 8);
  const fields = ['spec.a', 'spec.b', 'spec.c', 'spec.d'];
  const lines = driftLines({
    now: [
      { ...about, what: 'deleted', edits: [], argocd: 'has not looked yet' },
      { ...about, what: 'edited', edits: [{ by: 'kubectl-edit', at: time, fields }], argocd: 'sees it' },
      { ...about, what: 'edited', edits: [], argocd: 'sees it' },
      { ...about, what: 'edited', edits: [{ by: 'kubectl', at: time, fields: ['spec.a'] }], argocd: 'leaves it' },
    ],
    healed: [
      { application: 'core-go', at: time, seconds: 1.4, revision: 'aaa', objects: [{ ...about, what: 'made anew' }] },
      { application: 'core-go', at: time, seconds: 2, revision: 'aaa', objects: [] },
    ],
    drilled: [{ application: 'core-go', drill: 'prune' }],
  });
  assert.match(lines[0] ?? '', /^✖ Application core-go is at a commit of npm run drill \(prune\)/);
  for (const line of [
    '  ✖ Service default/core-go was deleted; Argo CD has not looked since',
    `  ✖ Service default/core-go: spec.a, spec.b, spec.c and 1 more by kubectl-edit at ${clock}; Argo CD sees it`,
    `  ✔ ${clock}  Service default/core-go made anew in 1.4 s`,
    `  ✔ ${clock}  something of core-go set back in 2.0 s`,
  ])
    assert(lines.includes(line), `${line}\nin\n${lines.join('\n')}`);
});

test('of many heals the latest are shown, and the others counted', () => {
  const healed = Array.from({ length: 7 }, (_, seconds) => ({
    application: 'a',
    at: time,
    seconds,
    revision: 'r',
    objects: [],
  }));
  const lines = driftLines({ now: [], healed, drilled: [] });
  assert.equal(lines.length, 7);
  assert.match(lines[1] ?? '', /2 earlier ones/);
  assert.match(lines.at(-1) ?? '', /in 6\.0 s/);
});

test('one look finds what is there now and what was undone, asks for each kind once, and is quiet without an answer', async () => {
  const asked: string[] = [];
  const watched = application({ resources: [resource, { ...resource, name: 'gone' }], history: [deployed('aaa', -5)] });
  const context = (events: () => ApplicationEvent[]) =>
    fakeContext({
      view: () => ({
        list: async () => [watched],
        listHeads: async (apiVersion: string, kind: string) => {
          asked.push(`${apiVersion} ${kind}`);
          return [deployment([set(0), byKubectl])];
        },
      }),
      api: () => ({ json: async () => ({ items: events() }) }),
    });
  watched.metadata.annotations = { 'platform-ops/drill': 'prune' };
  const { now, healed, drilled } = await findDrift(context(() => healing('Partial sync')));
  assert.deepEqual(now.map(({ name, what }) => `${name} ${what}`).toSorted(), ['core-go edited', 'gone deleted']);
  assert.deepEqual(
    healed.map(({ objects }) => objects.length),
    [1],
  );
  assert.deepEqual(drilled, [{ application: 'core-go', drill: 'prune' }]);
  assert.deepEqual(asked, ['apps/v1 Deployment']);
  const silent = () => {
    throw new Unreachable('no answer');
  };
  assert.deepEqual(await findDrift(context(silent)), { now: [], healed: [], drilled: [] });
});
