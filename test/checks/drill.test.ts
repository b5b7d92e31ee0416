import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deployCommit, restoreFromGit, restoreRegistrations } from '../../scripts/checks/drill/commits.ts';
import { type Drill, type DrillOutcome, performDrill } from '../../scripts/checks/drill/drill.ts';
import { drills, resultLine, selectDrills, summaryLines } from '../../scripts/checks/drill/drills.ts';
import { allAnswered, describeLosses } from '../../scripts/checks/drill/requests.ts';
import { comparable, compareSnapshots, type Snapshot } from '../../scripts/checks/drill/snapshot.ts';
import { drillCommand as command } from '../../scripts/commands/drill.ts';
import { loadConfig } from '../../scripts/config/config.ts';
import { drillAnnotation } from '../../scripts/delivery/drift/drift.ts';
import type { Context } from '../../scripts/images/context.ts';
import type { KubeObject } from '../../scripts/kubernetes/objects.ts';
import { Interrupted, UserError } from '../../scripts/lib/errors.ts';
import { fakeContext, refusal, temporaryFolder } from '../support/fakes.ts';

const seen: DrillOutcome = { held: true, seconds: 1.26, evidence: 'it came back' };

/** A drill that keeps a log of what is done, and the context in which it is shown. */
function scene(run: () => Promise<DrillOutcome>, more: Partial<Drill> = {}) {
  const log: string[] = [];
  const interruption = new AbortController();
  const context = fakeContext({ signal: interruption.signal });
  const calm = fakeContext({ signal: new AbortController().signal });
  const drill: Drill = {
    name: 'one',
    promise: 'It comes back',
    run: async (given) => {
      log.push(given === context ? 'run' : 'run elsewhere');
      return run();
    },
    undo: async (given) => void log.push(given === calm ? 'undo calmly' : 'undo'),
    ...more,
  };
  return { log, interruption, shown: () => performDrill(drill, { context, calm: () => calm }) };
}

test('a promise that is held is undone all the same, in a context that no interruption ends', async () => {
  const { log, shown } = scene(async () => seen);
  assert.deepEqual(await shown(), { name: 'one', promise: 'It comes back', ...seen });
  assert.deepEqual(log, ['run', 'undo calmly']);
});

test('a promise that was waited for in vain is not held, with the reason, and is undone', async () => {
  const { log, shown } = scene(async () => {
    throw new UserError('Waited 5 s in vain: it is not there.');
  });
  const { held, ...rest } = await shown();
  assert.equal(held, false);
  assert.match(JSON.stringify(rest), /it is not there/);
  assert.deepEqual(log, ['run', 'undo calmly']);
});

for (const [what, error] of [
  ['an interruption', new Interrupted()],
  ['a bug', new TypeError('x is undefined')],
] as const) {
  test(`${what} in the middle undoes what was begun, and is passed on`, async () => {
    const { log, shown } = scene(async () => {
      throw error;
    });
    await assert.rejects(shown, error);
    assert.deepEqual(log, ['run', 'undo calmly']);
  });
}

test('an interruption while it is being undone ends the command after that', async () => {
  const { log, interruption, shown } = scene(async () => {
    interruption.abort();
    return seen;
  });
  await assert.rejects(shown, Interrupted);
  assert.deepEqual(log, ['run', 'undo calmly']);
});

test('what could not be undone is said, with the command that puts it right', async () => {
  const { shown } = scene(async () => seen, {
    undo: async () => {
      throw new UserError('Application core-go is OutOfSync');
    },
  });
  assert.match(
    (await refusal(shown)).text,
    /the drill one did could not be undone: Application core-go.*\n.*npm run up/,
  );
});

test('what can’t be shown here is neither run nor undone, and tells why', async () => {
  const { log, shown } = scene(async () => seen, { hindrance: async () => 'there is no branch' });
  const result = await shown();
  assert.deepEqual(log, []);
  assert.equal(resultLine(result), '- It comes back: not shown, for there is no branch');
});

test('a line has the promise, its seconds and what was seen', () => {
  const about = { name: 'one', promise: 'It comes back' };
  assert.equal(resultLine({ ...about, ...seen }), '✔ It comes back  1.3 s  it came back');
  assert.match(resultLine({ ...about, ...seen, held: false }), /^✖ /);
  const all = 'all 7 requests through the ingress were answered, each within 0.3 s';
  assert.equal(describeLosses({ asked: 7, lost: [], slowest: 0.22 }), all);
  const lost = ['answers 503', 'answers 503', 'no answer'];
  assert.match(describeLosses({ asked: 7, lost, slowest: 1 }), /^3 of 7 requests .* lost \(answers 503; no answer\)$/);
});

test('a promise about requests holds where some were sent and all were answered', () => {
  const answers = (asked: number, lost: number) => ({ asked, lost: Array(lost).fill('answers 503'), slowest: 0.1 });
  assert.deepEqual([allAnswered(answers(514, 0)), allAnswered(answers(514, 490))], [true, false]);
  assert.deepEqual([allAnswered(answers(514, 1)), allAnswered(answers(0, 0))], [false, false]);
  assert.match(describeLosses(answers(0, 0)), /no request was sent/);
});

test('names pick drills, in the order in which they are shown', async () => {
  const names = (only: unknown) => selectDrills(drills, only).map(({ name }) => name);
  assert.deepEqual(
    names(undefined),
    drills.map(({ name }) => name),
  );
  assert.deepEqual(names('rollback, self-heal'), ['self-heal', 'rollback']);
  assert.match((await refusal(() => names('rolback'))).text, /no drill "rolback".*\n.*mean rollback/);
  assert.match((await refusal(() => names(''))).text, /self-heal, prune/);
  assert.equal(new Set(drills.map(({ name }) => name)).size, drills.length);
});

const deployment = (spec: object, metadata: Partial<KubeObject['metadata']> = {}): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'core-go', namespace: 'default', uid: 'a', ...metadata },
  spec,
  status: { replicas: 1 },
});
const autoscaler: KubeObject = {
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: { name: 'core-go', namespace: 'default' },
  spec: { scaleTargetRef: { kind: 'Deployment', name: 'core-go' } },
};

test('an object is as before whatever its status, uid and counters, and however its fields are ordered', () => {
  const one = deployment({ paused: false, replicas: 1 }, { annotations: { 'deployment.kubernetes.io/revision': '1' } });
  const other = deployment({ replicas: 1, paused: false }, { uid: 'b', generation: 7 });
  assert.equal(comparable(one, []), comparable({ ...other, status: {}, operation: { sync: {} } }, []));
});

for (const [what, other] of [
  ['a field of its spec', deployment({ replicas: 2 })],
  ['a label', deployment({ replicas: 1 }, { labels: { a: 'b' } })],
  ['an annotation', deployment({ replicas: 1 }, { annotations: { [drillAnnotation]: 'prune' } })],
  ['a finalizer', deployment({ replicas: 1 }, { finalizers: ['x'] })],
  ['that it is leaving', deployment({ replicas: 1 }, { deletionTimestamp: '2026-01-02T03:04:05Z' })],
] as const) {
  test(`${what} is a difference`, () => {
    assert.notEqual(comparable(deployment({ replicas: 1 }), []), comparable(other, []));
  });
}

test('the number of pods is the autoscaler’s where there is one', () => {
  const all = [autoscaler];
  assert.equal(comparable(deployment({ replicas: 1 }), all), comparable(deployment({ replicas: 3 }), all));
  assert.notEqual(comparable(deployment({ paused: true }), all), comparable(deployment({}), all));
});

test('an address that the cluster gives anew is no difference, and a cordon of the node is one', () => {
  const service = (clusterIP: string): KubeObject => ({ ...autoscaler, kind: 'Service', spec: { clusterIP } });
  assert.equal(comparable(service('10.0.0.1'), []), comparable(service('10.0.0.2'), []));
  const node = (spec: object, labels = {}): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n', labels },
    spec,
  });
  assert.equal(comparable(node({}), []), comparable(node({}, { a: 'b' }), []));
  assert.notEqual(comparable(node({}), []), comparable(node({ unschedulable: true }), []));
});

const snapshot = (objects: Record<string, string>, more: Partial<Snapshot> = {}): Snapshot => ({
  head: 'a'.repeat(40),
  objects: new Map(Object.entries(objects)),
  nodes: new Map([['Node n', '']]),
  refs: new Map([['refs/heads/main', 'a']]),
  ...more,
});

test('what is gone, new or other is a difference, and what was compared is counted', () => {
  const comparison = compareSnapshots(
    snapshot({ same: '1', other: '1', gone: '1' }),
    snapshot({ same: '1', other: '2', new: '1' }, { refs: new Map([['refs/heads/drill', 'b']]) }),
  );
  assert.deepEqual(comparison.differences, [
    'gone is missing',
    'new was not there before',
    'other is not as it was',
    'refs/heads/drill was not there before',
    'refs/heads/main is missing',
  ]);
  const same = compareSnapshots(snapshot({ same: '1' }), snapshot({ same: '1' }));
  assert.deepEqual(same, { differences: [], compared: '1 object, 1 node and 1 ref' });
  const lines = summaryLines([{ name: 'one', promise: 'It', ...seen }], same, 61.24);
  assert.deepEqual(lines, ['1 of 1 promises held (61.2 s).', 'All is as it was: 1 object, 1 node and 1 ref.']);
  assert.match(summaryLines([], comparison, 1).join('\n'), /\nNot as it was before:\n {2}gone is missing\n/);
});

test('where somebody committed meanwhile, only the nodes can be compared, and that is said', () => {
  const later = snapshot({ same: '2' }, { head: 'b'.repeat(40), nodes: new Map([['Node n', 'cordoned']]) });
  const { differences, note } = compareSnapshots(snapshot({ same: '1' }), later);
  assert.deepEqual(differences, ['Node n is not as it was']);
  assert.match(note ?? '', /aaaaaaa, now bbbbbbb/);
});

const commit = 'a'.repeat(40);

/**
 * The Application core-go as Git registers it, in a cluster that keeps what is applied. `looks` is what Argo CD says of it
 * beside that at each look, the last of them for ever.
 */
async function registered(looks: Partial<KubeObject>[] = [{}]) {
  const { mkdir, writeFile } = await import('node:fs/promises');
  const root = await temporaryFolder();
  await Promise.all(['argocd', 'cluster/argocd'].map((folder) => mkdir(`${root}/${folder}`, { recursive: true })));
  const head = (kind: string, name: string) => ({ apiVersion: 'argoproj.io/v1alpha1', kind, metadata: { name } });
  const source = { path: 'helm/core-go', helm: { releaseName: 'core-go', valueFiles: ['values-prod.yaml'] } };
  const files = {
    'argocd/core-go.yaml': { ...head('Application', 'core-go'), spec: { source, project: 'platform' } },
    'cluster/argocd/default-project.yaml': head('AppProject', 'default'),
  };
  for (const [file, object] of Object.entries(files)) await writeFile(`${root}/${file}`, JSON.stringify(object));
  const applied: KubeObject[] = [];
  const asked: number[] = [];
  let seen = 0;
  const says = (at: number) => {
    const { metadata, ...look } = looks[Math.min(at, looks.length - 1)] ?? {};
    const [object = assert.fail()] = applied.slice(-1);
    return { ...object, ...look, metadata: { ...object.metadata, ...metadata } };
  };
  const context: Context = fakeContext({
    config: { root, environment: 'dev' },
    timeout: 3000,
    signal: new AbortController().signal,
    checkout: async () => ({ prefix: '', linked: false, head: commit, subject: 'Start' }),
    api: () => ({ listMetadata: async () => applied.slice(-1), list: async () => [says(seen++)] }),
    view: () => ({ missing: async () => undefined, list: async () => [says(seen - 1)] }),
    kubectl: async () => ({
      run: async () => asked.push(seen),
      apply: async (objects: KubeObject[]) => {
        applied.push(...objects);
        return [];
      },
    }),
  });
  return { applied, asked, context, looked: () => seen };
}

test('a release points an Application at a commit and marks it; registered anew it is as Git has it', async () => {
  const { applied, context } = await registered();
  const sourceOf = (at: number) => {
    const { spec } = applied[at] ?? assert.fail();
    return (spec as { source: { targetRevision: string; path: string } }).source;
  };
  await deployCommit(context, 'prune', 'core-go', 'b'.repeat(40));
  assert.equal(sourceOf(0).targetRevision, 'b'.repeat(40));
  assert.equal(applied[0]?.metadata.annotations?.[drillAnnotation], 'prune');
  assert.deepEqual(await restoreRegistrations(context), ['core-go']);
  assert.deepEqual([sourceOf(1).targetRevision, sourceOf(1).path], ['HEAD', 'helm/core-go']);
  assert.equal(applied[1]?.metadata.annotations, undefined);
  assert.deepEqual(await restoreRegistrations(context), [], 'what is not marked is left alone');
});

const well = { status: { sync: { status: 'Synced', revision: commit }, health: { status: 'Healthy' } } };
const underWay = { ...well, operation: { sync: {} } };
const running = { status: { ...well.status, operationState: { phase: 'Running' } } };
const notLooked = { ...well, metadata: { name: 'core-go', annotations: { 'argocd.argoproj.io/refresh': 'normal' } } };
const other = { status: { ...well.status, sync: { status: 'OutOfSync', revision: commit } } };

for (const [what, looks, asks] of [
  ['is well', [well, well], [1]],
  ['is just being synced', [underWay, running, well, well], [3]],
  ['has not been looked at since', [well, notLooked, notLooked, well], [1]],
  ['is synced once more by that look', [well, underWay, well, notLooked, other, well], [1, 3]],
] as const) {
  test(`what Argo CD says counts once it was asked with nothing under way: an Application that ${what}`, async () => {
    const { asked, context, looked } = await registered([...looks]);
    await deployCommit(context, 'prune', 'core-go', 'b'.repeat(40));
    await restoreFromGit(context);
    assert.deepEqual(asked, asks);
    assert.equal(looked(), looks.length);
  });
}

test('where nothing was pointed elsewhere, Argo CD need not be asked', async () => {
  const { asked, context } = await registered([other, well]);
  await deployCommit(context, 'prune', 'core-go', 'b'.repeat(40));
  await restoreRegistrations(context);
  await restoreFromGit(context);
  assert.deepEqual(asked, []);
});

test('without a terminal and without --yes nothing is done', async () => {
  const invocation = {
    config: loadConfig(await temporaryFolder(), { HOME: '/nonexistent', PATH: '/nonexistent' }),
    flags: {},
    word: undefined,
    signal: new AbortController().signal,
    print: () => assert.fail('nothing is printed'),
    progressStream: { isTTY: false, write: () => true } as unknown as NodeJS.WriteStream,
  };
  const { error, text } = await refusal(() => command.run(invocation));
  assert.equal(error.exitCode, 2);
  assert.match(text, /no terminal.*\n.*--list.*--yes/);
  const printed: string[] = [];
  const listed = {
    ...invocation,
    flags: { list: true, only: 'prune' },
    print: (line: string) => void printed.push(line),
  };
  assert.equal(await command.run(listed), 0);
  assert.deepEqual(printed, ['  prune  What leaves Git leaves the cluster.']);
});

test('what takes commits is not shown where another repository is followed, and what takes none is', async () => {
  const cluster = (least: number, gitops?: object, configMaps: KubeObject[] = []) =>
    fakeContext({
      config: { gitops },
      api: () => ({
        list: async (_: string, kind: string) =>
          kind === 'HorizontalPodAutoscaler'
            ? ['core-go', 'api-node'].map((name) => ({
                ...autoscaler,
                metadata: { name, namespace: 'default' },
                spec: { minReplicas: least, maxReplicas: 5 },
              }))
            : [deployment({ replicas: 3 }), deployment({ replicas: 3 }, { name: 'api-node' })],
        listMetadata: async () => configMaps,
      }),
    });
  const hindered = async (context: Context) => {
    const all = await Promise.all(drills.map(async ({ name, hindrance }) => (await hindrance?.(context)) && name));
    return all.filter((name) => name !== undefined);
  };
  const elsewhere = { repoUrl: 'https://github.com/a/b', revision: 'main' };
  assert.deepEqual(await hindered(cluster(1)), []);
  const ofOne = ['pod-kill', 'prune', 'bad-image', 'rollback', 'node-drain'];
  assert.deepEqual((await hindered(cluster(1, elsewhere))).toSorted(), ofOne.toSorted());
  assert.deepEqual(await hindered(cluster(2, elsewhere)), ['prune', 'bad-image', 'rollback']);
  const mine = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'worker-python-drill', namespace: 'default' } };
  assert.deepEqual(await hindered(cluster(1, undefined, [mine])), ['prune']);
  assert.match((await drills[1]?.hindrance?.(cluster(1, elsewhere))) ?? '', /nothing is pushed to GITOPS_REPO_URL/);
});
