import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Component } from '../../scripts/cluster/component.ts';
import { trackingId } from '../../scripts/cluster/ownership.ts';
import { resetCommand } from '../../scripts/commands/reset.ts';
import { applications } from '../../scripts/components/applications.ts';
import { allComponents } from '../../scripts/components/index.ts';
import { removeObjects } from '../../scripts/components/removal.ts';
import { confirmationQuestion, objectsToRemove, planReset, resetLines } from '../../scripts/components/reset/plan.ts';
import { executeReset, inReverse } from '../../scripts/components/reset/reset.ts';
import { loadConfig } from '../../scripts/config/config.ts';
import { identityOf, type KubeObject, type Metadata, nameOf } from '../../scripts/kubernetes/objects.ts';
import { runGraph } from '../../scripts/lib/tasks.ts';
import { fakeCluster, made } from '../support/fake-cluster.ts';
import { fakeContext, fakeExec, refusal, temporaryFolder } from '../support/fakes.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const finished = '1700000000';
const [old, young] = ['2023-11-14T22:13:20Z', '2023-11-14T22:13:21Z'];
const object = (kind: string, name: string, namespace?: string, metadata: Partial<Metadata> = {}) =>
  made(kind, name, { creationTimestamp: young, ...(namespace !== undefined && { namespace }), ...metadata });

/** A component of these objects. */
function component(name: string, needs: string[], objects: readonly KubeObject[], log: string[] = []): Component {
  const known = new Set(objects.map(identityOf));
  return {
    name,
    needs,
    status: () => assert.fail(),
    apply: () => assert.fail(),
    owns: async () => (one) => known.has(identityOf(one)),
    async remove(context, planned) {
      const removed = await removeObjects(context, planned);
      log.push(name);
      return removed;
    },
  };
}

function scene(byHand: readonly KubeObject[], named: readonly string[] = []) {
  const log: string[] = [];
  const applied = [{ manager: 'platform-ops', operation: 'Apply' }];
  const ours = { managedFields: applied };
  // What is in a namespace that was applied is known by that: of an object without fields nobody keeps who applied it.
  const tools = [object('Namespace', 'tools', undefined, ours), object('ConfigMap', 'settings', 'tools')];
  const apps = [object('Service', 'web', 'default', ours)];
  const theirNamesake = named.map((name) =>
    object('Service', name, 'default', { managedFields: [{ manager: 'kubectl-create', operation: 'Update' }] }),
  );
  const components = [
    component('tools', [], tools, log),
    component('apps', ['tools'], [...apps, ...theirNamesake], log),
  ];
  const earlier = object('ClusterRole', 'of-an-earlier-version', undefined, ours);
  const kubernetes = object('Namespace', 'kube-system', undefined, { creationTimestamp: old });
  const cluster = fakeCluster([kubernetes, ...tools, ...apps, ...theirNamesake, earlier, ...byHand]);
  const context = fakeContext({
    config: { clusterName: 'c', root, ports: { http: 8080, https: 8443 } },
    node: 'c-control-plane',
    timeout: 3000,
    signal: new AbortController().signal,
    exec: fakeExec((line) => (line.startsWith('docker exec c-control-plane stat') ? { stdout: `${finished}\n` } : {})),
    api: cluster.api,
    view: () => ({ forget: () => {} }),
    kubectl: cluster.kubectl,
  });
  return { cluster, components, context, log };
}
const progress = { start() {}, done() {}, failed() {}, note() {}, stop() {} };
const names = (objects: readonly KubeObject[]) => objects.map(nameOf).sort();

test('the platform goes, what stands on something before that, also what earlier versions left; Kubernetes stays', async () => {
  const { cluster, components, context, log } = scene([]);
  const before = await planReset(context, { components });
  assert.deepEqual(
    before.steps.map(({ title, objects }) => [title, names(objects)]),
    [
      ['apps', ['Service default/web']],
      ['tools', ['ConfigMap tools/settings', 'Namespace tools']],
      ['of earlier versions', ['ClusterRole of-an-earlier-version']],
    ],
  );
  const after = await executeReset(context, before, { all: false, progress, components });
  assert.deepEqual(log, ['apps', 'tools']);
  assert.deepEqual([after.steps, after.byHand, after.orphans], [[], [], []]);
  assert.deepEqual(names(cluster.objects), ['Namespace kube-system']);
  assert.deepEqual(cluster.deleted.toSorted(), names(objectsToRemove(before)), 'what the plan says is what happens');
});

test('what is not in the plan is not removed, even if a component knows it', async () => {
  const { cluster, components, context } = scene([]);
  const before = await planReset(context, { components });
  const step = before.steps.find(({ title }) => title === 'tools') ?? assert.fail();
  step.objects = step.objects.filter(({ kind }) => kind === 'ConfigMap');
  const removing = executeReset(fakeContext({ ...context, timeout: 1 }), before, { all: false, progress, components });
  await removing.catch(() => {});
  const [first] = cluster.calls.filter(({ names }) => names.some((name) => /tools/.test(name)));
  assert.deepEqual(first?.names, ['ConfigMap tools/settings']);
});

test('what lost its owner and still terminates is waited for, and otherwise left', async () => {
  const ownerReferences = [{ kind: 'Namespace', name: 'gone', uid: 'gone' }];
  const pod = object('Pod', 'p', 'default', { ownerReferences, deletionTimestamp: young });
  for (const [ends, left] of [
    [true, []],
    [false, ['Pod default/p']],
  ] as const) {
    const { cluster, components, context } = scene([pod]);
    const plan = await planReset(context, { components });
    assert.deepEqual(names(plan.orphans), ['Pod default/p']);
    const end = () => {
      cluster.objects = cluster.objects.filter(({ kind }) => kind !== 'Pod');
    };
    if (ends) setTimeout(end, 200);
    const waiting = fakeContext({ ...context, timeout: ends ? 3000 : 300 });
    const after = await executeReset(waiting, plan, { all: false, progress, components });
    assert.deepEqual(names(after.orphans), left);
  }
});

const mine = [object('ConfigMap', 'mine', 'default'), object('Secret', 'mine', 'tools')];

test('what was put there by hand stays, with the namespace of the platform that it is in', async () => {
  const { cluster, components, context } = scene(mine);
  const before = await planReset(context, { components });
  assert.deepEqual(names(before.byHand), ['ConfigMap default/mine', 'Secret tools/mine']);
  const after = await executeReset(context, before, { all: false, progress, components });
  assert.deepEqual(after.steps, []);
  const kept = ['ConfigMap default/mine', 'Namespace kube-system', 'Namespace tools', 'Secret tools/mine'];
  assert.deepEqual(names(cluster.objects), kept);
});

test('what somebody made under a name that a component knows stays as well', async () => {
  const { cluster, components, context } = scene([], ['metrics']);
  const before = await planReset(context, { components });
  assert.deepEqual(names(before.byHand), ['Service default/metrics']);
  await executeReset(context, before, { all: false, progress, components });
  assert.deepEqual(names(cluster.objects), ['Namespace kube-system', 'Service default/metrics']);
});

test('with --all it goes as well, and before the platform that it may stand on', async () => {
  const { cluster, components, context } = scene(mine);
  const before = await planReset(context, { all: true, components });
  assert.deepEqual(before.holders, []);
  await executeReset(context, before, { all: true, progress, components });
  assert.deepEqual(names(cluster.deleted.length > 0 ? cluster.objects : []), ['Namespace kube-system']);
  assert.deepEqual(cluster.deleted.slice(0, 2).sort(), ['ConfigMap default/mine', 'Secret tools/mine']);
});

test('an inventory changes nothing, and a cluster that was never finished has none', async () => {
  const { cluster, components, context } = scene(mine);
  await planReset(context, { components });
  assert.deepEqual([cluster.calls, cluster.deleted], [[], []]);
  const half = fakeContext({
    ...context,
    exec: fakeExec(() => ({ exitCode: 1, stderr: 'No such file or directory' })),
  });
  assert.match((await refusal(() => planReset(half, { components }))).error.hint ?? '', /npm run up.*npm run down/);
});

test('in a cluster of others nothing is ours that was there before the platform, whoever applied it, and no orphan is', async () => {
  const ownerReferences = [{ kind: 'Namespace', name: 'gone', uid: 'gone' }];
  const { components, context } = scene([...mine, object('Pod', 'p', 'default', { ownerReferences })]);
  // Nobody agreed to the platform there, so it has no mark.
  const plan = await planReset(fakeContext({ ...context, target: 'theirs' }), { components });
  assert.deepEqual(plan, { steps: [], byHand: [], holders: [], orphans: [] });
});

test('a component that can not be removed keeps what it stands on, and is told', async () => {
  const { cluster, components, context, log } = scene([]);
  const before = await planReset(context, { components });
  const stubborn = { ...components[1], remove: () => removeObjects(context, [], []).then(() => assert.fail('stuck')) };
  const all = [components[0] as Component, stubborn as Component];
  await assert.rejects(executeReset(context, before, { all: false, progress, components: all }), /stuck/);
  assert.deepEqual(log, []);
  assert.ok(names(cluster.objects).includes('Namespace tools'));
});

test('every component but the cluster is removed after all that need it', async () => {
  const all = allComponents();
  const reversed = inReverse(all);
  const results = await runGraph(reversed.map(({ name, needs }) => ({ name, needs, run: async () => {} })));
  assert.ok([...results.values()].every(({ state }) => state === 'done'));
  const needsOf = (name: string) => reversed.find((one) => one.name === name)?.needs ?? assert.fail(name);
  for (const name of ['argo-cd', 'git-source', 'ingress-nginx', 'traefik', 'service-images', 'repository-access'])
    assert.ok(needsOf(name).includes('applications'), name);
  const without = all.filter(({ owns }) => !owns).map(({ name }) => name);
  assert.deepEqual(without, ['cluster', 'services']);
});

test('the list names each object, and what stays; the question counts them', async () => {
  const { components, context } = scene(mine);
  const before = await planReset(context, { components });
  const lines = resetLines({ clusterName: 'c', target: undefined }, before);
  const expected = ['apps (1)', '  Service default/web', '  ClusterRole of-an-earlier-version', '  Secret tools/mine'];
  assert.deepEqual(
    expected.filter((line) => !lines.includes(line)),
    [],
  );
  assert.equal(lines.at(-1), '  Namespace tools');
  const numbers = (plan: typeof before) => confirmationQuestion({ clusterName: 'c' }, plan).match(/\d+/g);
  assert.deepEqual(numbers(before), ['3', '2']);
  assert.deepEqual(numbers(await planReset(context, { all: true, components })), ['4', '2']);
});

test("an Application of an earlier up that Git registers no more goes with what it deployed, somebody's own does not", async () => {
  const deployed = (name: string) => {
    const workload = object('Deployment', name, 'default');
    return { ...workload, metadata: { ...workload.metadata, annotations: trackingId(workload, name) } };
  };
  const registered = (kind: string, name: string, manager: string, operation: string) => {
    const managedFields = [{ manager, operation }];
    return made(kind, name, { namespace: 'argocd', creationTimestamp: young, managedFields }, 'argoproj.io/v1alpha1');
  };
  const earlier = [
    registered('AppProject', 'earlier', 'platform-ops', 'Apply'),
    registered('Application', 'earlier', 'platform-ops', 'Apply'),
    deployed('earlier'),
  ];
  const theirs = [registered('Application', 'theirs', 'kubectl-create', 'Update'), deployed('theirs')];
  const { context } = scene([...earlier, ...theirs]);
  const checkout = async () => ({ head: 'a'.repeat(40), prefix: '', linked: false, branch: 'main' });
  const plan = await planReset(fakeContext({ ...context, checkout }), { components: [applications] });
  const step = plan.steps.find(({ title }) => title === 'applications');
  assert.deepEqual(names(step?.objects ?? []), names(earlier));
  const byHand = names(plan.byHand).filter((name) => /theirs|earlier/.test(name));
  assert.deepEqual(byHand, names(theirs));
});

const invocation = async (flags: Record<string, boolean>) => ({
  config: loadConfig(await temporaryFolder(), { HOME: '/nonexistent', PATH: '/nonexistent' }),
  flags,
  word: undefined,
  signal: new AbortController().signal,
  print: () => assert.fail('nothing is printed'),
  progressStream: { isTTY: false, write: () => true } as unknown as NodeJS.WriteStream,
});
for (const [flags, id] of [
  [{}, 'no-terminal'],
  [{ apps: true }, 'no-terminal'],
  [{ cluster: true }, 'no-terminal'],
  [{ apps: true, cluster: true, yes: true }, 'flags-exclude'],
  [{ all: true, apps: true, yes: true }, 'flags-exclude'],
] as const) {
  test(`reset with ${JSON.stringify(flags)} and without a terminal is refused before anything is done`, async () => {
    const { error } = await refusal(async () => resetCommand.run(await invocation(flags)));
    assert.deepEqual([error.id, error.exitCode], [id, 2]);
  });
}

test('only a --yes and a --all that were typed behind the dashes count', () => {
  assert.deepEqual(
    Object.entries(resetCommand.flags).flatMap(([name, { typedOnly }]) => (typedOnly ? [name] : [])),
    ['all', 'yes'],
  );
});
