import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { deploy, restoreFromGit } from '../../scripts/checks/drill/commits.ts';
import { type DrillOutcome, performDrill } from '../../scripts/checks/drill/drill.ts';
import { cleanUpAfter, drills, resultLine, selectDrills, summaryLines } from '../../scripts/checks/drill/drills.ts';
import { judgeRequests } from '../../scripts/checks/drill/requests.ts';
import { comparable, compareSnapshots, type Snapshot } from '../../scripts/checks/drill/snapshot.ts';
import { drillCommand } from '../../scripts/commands/drill.ts';
import { loadConfig } from '../../scripts/config/config.ts';
import { drillAnnotation } from '../../scripts/delivery/drift/drift.ts';
import type { Context } from '../../scripts/images/context.ts';
import type { KubeObject } from '../../scripts/kubernetes/objects.ts';
import { Interrupted, UserError } from '../../scripts/lib/errors.ts';
import { readCheckout } from '../../scripts/lib/git/checkout.ts';
import { fakeContext, refusal, temporaryFolder } from '../support/fakes.ts';
import { gitExec } from '../support/repository.ts';

const seen: DrillOutcome = { held: true, seconds: 1.26, evidence: 'it came back' };
const about = { name: 'one', promise: 'It comes back' };

/** Performs a drill, and logs whether it was run and undone in the context that is meant for it. */
async function perform(run: (interrupt: () => void) => DrillOutcome, { hindrance = '', undoFails = false } = {}) {
  const log: string[] = [];
  const interruption = new AbortController();
  const context = fakeContext({ signal: interruption.signal });
  const calm = fakeContext({ signal: new AbortController().signal });
  const drill = {
    ...about,
    hindrance: async () => hindrance || undefined,
    run: async (given: Context) => {
      log.push(given === context ? 'run' : 'run with another context');
      return run(() => interruption.abort());
    },
    undo: async (given: Context) => {
      log.push(given === calm ? 'undo calmly' : 'undo with another context');
      if (undoFails) throw new UserError('Application core-go is OutOfSync');
    },
  };
  let error: unknown;
  const value = await performDrill(drill, context, () => calm).catch((thrown: unknown) => {
    error = thrown;
  });
  return { log, value, error };
}
const failing = (error: Error) => () => {
  throw error;
};

test('what was seen is told, also that a promise was not held in time', async () => {
  assert.deepEqual((await perform(() => seen)).value, { ...about, ...seen });
  const { value } = await perform(failing(new UserError('Timed out after 5 s: it is missing.')));
  assert(value?.held === false && value.evidence === 'Timed out after 5 s: it is missing.');
});

test('an interruption and a bug are passed on', async () => {
  for (const error of [new Interrupted(), new TypeError('x is undefined')])
    assert.equal((await perform(failing(error))).error, error);
  const { error } = await perform((interrupt) => {
    interrupt();
    return seen;
  });
  assert(error instanceof Interrupted);
});

test('what was begun is undone, however it ends, in a context that no interruption ends', async () => {
  for (const run of [() => seen, failing(new UserError('late')), failing(new Interrupted()), failing(new TypeError())])
    assert.deepEqual((await perform(run)).log, ['run', 'undo calmly']);
});

test('what could not be undone is told, with the command that repairs it', async () => {
  for (const run of [() => seen, failing(new Interrupted())]) {
    const { error } = await perform(run, { undoFails: true });
    assert(error instanceof UserError && /one .*Application core-go/.test(error.message), String(error));
    assert.match(error.hint ?? '', /npm run up/);
  }
});

test('what can’t be shown here is neither run nor undone, and tells why', async () => {
  const { log, value } = await perform(() => seen, { hindrance: 'there is no branch' });
  assert.deepEqual(log, []);
  assert.deepEqual(value, { ...about, held: undefined, skipped: 'there is no branch' });
  assert(value);
  assert.equal(resultLine(value), '- It comes back: not shown, for there is no branch');
});

test('a promise about requests holds where some were sent and all were answered', () => {
  const request = (status: number | undefined, why?: string) => ({
    ...{ path: '/info', status, milliseconds: 220 },
    ...(why !== undefined && { why }),
  });
  const answered = Array.from({ length: 7 }, () => request(200));
  const lost = [request(503), request(503), request(undefined, 'no answer')];
  const { held, evidence } = judgeRequests(seen, answered);
  assert.deepEqual(
    [held, evidence],
    [true, 'it came back; all 7 requests through the ingress were answered, each within 0.3 s'],
  );
  assert.equal(judgeRequests({ ...seen, held: false }, answered).held, false);
  assert.equal(judgeRequests(seen, []).held, false);
  const some = judgeRequests(seen, [...answered, ...lost]);
  assert.equal(some.held, false);
  assert.match(some.evidence, / 3 of 10 requests .*\(answers 503; no answer\)$/);
});

test('what drills share is removed once after them, and not looked for after those that do not need it', async () => {
  const log: string[] = [];
  const cleanUp = async () => void log.push('shared');
  const drill = (name: string, more = {}) => ({ ...about, name, run: async () => seen, undo: async () => {}, ...more });
  await cleanUpAfter([drill('one'), drill('two', { cleanUp }), drill('three', { cleanUp })], fakeContext({}));
  assert.deepEqual(log, ['shared']);
  const cleaned = drills.filter((one) => one.cleanUp !== undefined).map(({ name }) => name);
  assert.deepEqual(cleaned, ['bad-image', 'rollback']);
});

test('names pick drills, in the order in which they are shown', async () => {
  const names = (only: unknown) => selectDrills(only).map(({ name }) => name);
  assert.deepEqual(names(undefined), ['self-heal', 'prune', 'bad-image', 'rollback', 'pod-kill', 'node-drain']);
  assert.deepEqual(names('rollback, self-heal'), ['self-heal', 'rollback']);
  assert.match((await refusal(() => names('rolback'))).text, /"rolback".*\n.*mean rollback/);
  assert.match((await refusal(() => names(''))).text, /self-heal, prune/);
});

const deployment = (spec: object, metadata: Partial<KubeObject['metadata']> = {}): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'core-go', namespace: 'default', uid: 'a', ...metadata },
  spec,
  status: { replicas: 1 },
});
const autoscaler: KubeObject = {
  ...deployment({ scaleTargetRef: { kind: 'Deployment', name: 'core-go' } }),
  kind: 'HorizontalPodAutoscaler',
};
const ofKind = (kind: string, spec: object, labels = {}) => ({ ...deployment(spec, { labels }), kind });

const plain = deployment({ paused: false, replicas: 1 });
const changes: [
  what: string,
  differs: boolean,
  after: KubeObject | KubeObject[],
  before?: KubeObject | KubeObject[],
][] = [
  ['the order of fields', false, deployment({ replicas: 1, paused: false })],
  ['its status, and what Argo CD is doing', false, { ...plain, status: {}, operation: { sync: {} } }],
  ['its uid and generation', false, deployment({ paused: false, replicas: 1 }, { uid: 'b', generation: 7 })],
  [
    'the number of its rollout',
    false,
    deployment({ paused: false, replicas: 1 }, { annotations: { 'deployment.kubernetes.io/revision': '1' } }),
  ],
  ['a field of its spec', true, deployment({ paused: false, replicas: 2 })],
  ['a label', true, deployment(plain.spec as object, { labels: { a: 'b' } })],
  ['an annotation', true, deployment(plain.spec as object, { annotations: { [drillAnnotation]: 'prune' } })],
  ['a finalizer', true, deployment(plain.spec as object, { finalizers: ['x'] })],
  ['that it is terminating', true, deployment(plain.spec as object, { deletionTimestamp: '2026-01-02T03:04:05Z' })],
  ['an autoscaler’s number of pods', false, [deployment({ replicas: 3 }), autoscaler], [deployment({}), autoscaler]],
  ['more than that', true, [deployment({ paused: true }), autoscaler], [deployment({}), autoscaler]],
  ['an assigned address', false, ofKind('Service', { clusterIP: '1' }), ofKind('Service', { clusterIP: '2' })],
  ['a label of a node', false, ofKind('Node', {}, { a: 'b' }), ofKind('Node', {})],
  ['a cordon', true, ofKind('Node', { unschedulable: true }), ofKind('Node', {})],
];
for (const [what, differs, after, before = plain] of changes)
  test(`${what} is ${differs ? 'a' : 'no'} difference`, () => {
    const taken = (objects: KubeObject | KubeObject[]) => snapshot({}, { object: comparable([objects].flat()) });
    const { differences } = compareSnapshots(taken(before), taken(after));
    assert.equal(differences.length, differs ? 1 : 0);
  });

function snapshot(objects: Record<string, string>, more: Partial<Snapshot> = {}): Snapshot {
  return {
    head: 'a'.repeat(40),
    object: new Map(Object.entries(objects)),
    node: new Map([['Node n', '']]),
    ref: new Map([['refs/heads/main', 'a']]),
    ...more,
  };
}

test('what is gone, new or other is a difference, and what was compared is counted', () => {
  const comparison = compareSnapshots(
    snapshot({ same: '1', other: '1', gone: '1' }),
    snapshot({ same: '1', other: '2', new: '1' }, { ref: new Map([['refs/heads/drill', 'b']]) }),
  );
  assert.deepEqual(comparison.differences, [
    'gone is missing',
    'new was not there before',
    'other is not as it was',
    'refs/heads/drill was not there before',
    'refs/heads/main is missing',
  ]);
  const same = compareSnapshots(snapshot({ same: '1' }), snapshot({ same: '1' }));
  assert.deepEqual(same, { differences: [], compared: '1 object, 1 node, 1 ref' });
  const lines = summaryLines([{ ...about, ...seen }], same, 61.24);
  assert.deepEqual(lines, ['1 of 1 promises held (61.2 s).', 'All is as it was: 1 object, 1 node, 1 ref.']);
  assert.match(summaryLines([], comparison, 1).join('\n'), /\n {2}gone is missing\n/);
});

test('where you committed meanwhile, only the nodes can be compared, and that is said', () => {
  const later = snapshot({ same: '2' }, { head: 'b'.repeat(40), node: new Map([['Node n', 'cordoned']]) });
  const { differences, note } = compareSnapshots(snapshot({ same: '1' }), later);
  assert.deepEqual(differences, ['Node n is not as it was']);
  assert.match(note ?? '', /aaaaaaa, now bbbbbbb/);
});

const commit = 'a'.repeat(40);
const well = { status: { sync: { status: 'Synced', revision: commit }, health: { status: 'Healthy' } } };
const underWay = { ...well, operation: { sync: {} } };
const running = { status: { ...well.status, operationState: { phase: 'Running' } } };
const notRefreshed = {
  ...well,
  metadata: { name: 'core-go', annotations: { 'argocd.argoproj.io/refresh': 'normal' } },
};
const outOfSync = { status: { ...well.status, sync: { status: 'OutOfSync', revision: commit } } };

/**
 * The Application core-go as Git registers it, in a cluster that keeps what is applied. `looks` is what Argo CD says of it
 * beside that at each look, the last of them for ever.
 */
async function registered(looks: readonly Partial<KubeObject>[]) {
  const root = await temporaryFolder();
  const head = (kind: string, name: string) => ({ apiVersion: 'argoproj.io/v1alpha1', kind, metadata: { name } });
  const source = { path: 'helm/core-go', helm: { releaseName: 'core-go', valueFiles: ['values-prod.yaml'] } };
  const files = {
    'argocd/core-go.yaml': { ...head('Application', 'core-go'), spec: { source, project: 'platform' } },
    'cluster/argocd/default-project.yaml': head('AppProject', 'default'),
  };
  for (const folder of ['argocd', 'cluster/argocd']) await mkdir(`${root}/${folder}`, { recursive: true });
  for (const [file, object] of Object.entries(files)) await writeFile(`${root}/${file}`, JSON.stringify(object));
  const applied: KubeObject[] = [];
  const refreshedAt: number[] = [];
  let seen = 0;
  const says = (at: number) => {
    const { metadata, ...look } = looks[Math.min(at, looks.length - 1)] ?? {};
    const [object = assert.fail()] = applied.slice(-1);
    return { ...object, ...look, metadata: { ...object.metadata, ...metadata } };
  };
  const context = fakeContext({
    config: { root, environment: 'dev', ports: { http: 8080, https: 8443 } },
    timeout: 3000,
    signal: new AbortController().signal,
    checkout: async () => ({ prefix: '', linked: false, head: commit, subject: 'Start' }),
    api: () => ({ listMetadata: async () => applied.slice(-1), list: async () => [says(seen++)] }),
    view: () => ({ missing: async () => undefined, list: async () => [says(seen - 1)] }),
    kubectl: async () => ({
      run: async () => refreshedAt.push(seen),
      apply: async (objects: KubeObject[]) => applied.push(...objects),
    }),
  });
  await deploy(context, { drill: 'prune', service: 'core-go' }, 'b'.repeat(40));
  return { applied, refreshedAt, context, looked: () => seen };
}

test('a release points an Application at a commit and marks it; restored, it is as Git has it', async () => {
  const { applied, context } = await registered([well]);
  await restoreFromGit(context);
  const told = applied.map(({ metadata, spec }) => {
    const { source } = spec as { source: { targetRevision: string; path: string } };
    return [source.targetRevision, source.path, metadata.annotations?.[drillAnnotation]];
  });
  assert.deepEqual(told, [
    ['b'.repeat(40), 'helm/core-go', 'prune'],
    ['HEAD', 'helm/core-go', undefined],
  ]);
});

for (const [what, looks, refreshes] of [
  ['is well', [well, well], [1]],
  ['is just being synced', [underWay, running, well, well], [3]],
  ['was not refreshed since', [well, notRefreshed, notRefreshed, well], [1]],
  ['is synced once more by that refresh', [well, underWay, well, notRefreshed, outOfSync, well], [1, 3]],
] as const) {
  test(`what Argo CD says counts once it was refreshed with nothing under way: an Application that ${what}`, async () => {
    const { refreshedAt, context, looked } = await registered(looks);
    await restoreFromGit(context);
    assert.deepEqual(refreshedAt, refreshes);
    assert.equal(looked(), looks.length);
  });
}

test('what no drill has pointed elsewhere is left alone, and not refreshed', async () => {
  const { applied, refreshedAt, context } = await registered([well, well, outOfSync, well]);
  await restoreFromGit(context);
  await restoreFromGit(context);
  assert.deepEqual([applied.length, refreshedAt], [2, [1]]);
});

test('--list lists, and without a terminal and without --yes nothing is done', async () => {
  const printed: string[] = [];
  const invocation = {
    config: loadConfig(await temporaryFolder(), { HOME: '/nonexistent', PATH: '/nonexistent' }),
    flags: {},
    word: undefined,
    signal: new AbortController().signal,
    print: (line: string) => void printed.push(line),
    progressStream: { isTTY: false, write: () => true } as unknown as NodeJS.WriteStream,
  };
  const { error, text } = await refusal(() => drillCommand.run(invocation));
  assert.deepEqual([error.exitCode, error.ids, printed], [2, ['no-terminal'], []]);
  assert.match(text, /--list.*--yes/);
  assert.equal(await drillCommand.run({ ...invocation, flags: { list: true, only: 'prune' } }), 0);
  assert.deepEqual(printed, ['  prune  What leaves Git leaves the cluster.']);
});

const place = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
/** The services of this checkout. */
const shipped = {
  config: { root: place, environment: 'dev', ports: { http: 8080, https: 8443 } },
  exec: gitExec,
  checkout: () => readCheckout(gitExec, place),
};

test('what takes commits is not shown where another repository is followed, and what takes none is', async () => {
  const named = (object: KubeObject, name: string, spec: object) => ({
    ...{ ...object, spec },
    metadata: { name, namespace: 'default' },
  });
  const hindered = async (minReplicas: number, gitops?: object, configMaps: KubeObject[] = []) => {
    const context = fakeContext({
      ...shipped,
      config: { ...shipped.config, gitops },
      api: () => ({
        list: async (_: string, kind: string) =>
          ['core-go', 'api-node'].map((name) =>
            kind === 'Deployment'
              ? named(plain, name, { replicas: 3 })
              : named(autoscaler, name, { minReplicas, maxReplicas: 5 }),
          ),
        listMetadata: async () => configMaps,
      }),
    });
    const all = await Promise.all(drills.map(async ({ name, hindrance }) => (await hindrance?.(context)) && name));
    return all.filter((name) => name !== undefined).toSorted();
  };
  const elsewhere = { repoUrl: 'https://github.com/a/b', revision: 'main' };
  assert.deepEqual(await hindered(1), []);
  assert.deepEqual(await hindered(1, elsewhere), ['bad-image', 'node-drain', 'pod-kill', 'prune', 'rollback']);
  assert.deepEqual(await hindered(2, elsewhere), ['bad-image', 'prune', 'rollback']);
  const mine = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'worker-python-drill', namespace: 'default' } };
  assert.deepEqual(await hindered(1, undefined, [mine]), ['prune']);
});
