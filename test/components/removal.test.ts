import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { removeApplications } from '../../scripts/components/applications-removal.ts';
import { removeObjects, waitForTermination } from '../../scripts/components/removal.ts';
import { Unreachable } from '../../scripts/kubernetes/api/api.ts';
import type { KubeObject, Metadata } from '../../scripts/kubernetes/objects.ts';
import { deletionObstacles } from '../../scripts/kubernetes/waiting/deletion.ts';
import { Interrupted } from '../../scripts/lib/errors.ts';
import { fakeCluster, made } from '../support/fake-cluster.ts';
import { fakeContext, fakeExec, refusal } from '../support/fakes.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

function contextOf(objects: readonly KubeObject[], timeout = 3000, fault?: string) {
  const cluster = fakeCluster(objects, fault);
  const context = fakeContext({
    config: { root },
    timeout,
    signal: new AbortController().signal,
    api: cluster.api,
    view: () => ({ forget: () => {} }),
    kubectl: cluster.kubectl,
  });
  return { context, cluster };
}
/** Changes what the cluster has once something of it is being deleted. */
function onceDeleting({ calls }: ReturnType<typeof fakeCluster>, change: () => void): void {
  const timer = setInterval(() => {
    if (calls.length === 0) return;
    clearInterval(timer);
    change();
  }, 10);
}

const names = (objects: readonly KubeObject[]) => objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`);

const namespace = made('Namespace', 'tools');
const inNamespace = (kind: string, name: string, metadata: Partial<Metadata> = {}, apiVersion?: string) =>
  made(kind, name, { namespace: 'tools', ...metadata }, apiVersion);

test('a namespace takes what is in it, its pods at once, and an aggregated API goes before it', async () => {
  const pod = inNamespace('Pod', 'p');
  const objects = [
    namespace,
    inNamespace('ConfigMap', 'c'),
    made('APIService', 'v1.example.com'),
    made('ClusterRole', 'r'),
    made('CustomResourceDefinition', 'd'),
  ];
  const { context, cluster } = contextOf([...objects, pod]);
  assert.equal((await removeObjects(context, objects)).length, 5);
  assert.deepEqual(cluster.objects, []);
  assert.deepEqual(cluster.calls[0]?.names, [
    'CustomResourceDefinition d',
    'APIService v1.example.com',
    'Namespace tools',
    'ClusterRole r',
    'Pod tools/p',
  ]);
});

test('what is kept stays, and with it the namespace that it is in, but nothing else', async () => {
  const mine = inNamespace('ConfigMap', 'mine');
  const theirs = [namespace, inNamespace('ConfigMap', 'c'), inNamespace('Service', 's')];
  const { context, cluster } = contextOf([...theirs, mine]);
  await removeObjects(context, theirs, [mine, namespace]);
  assert.deepEqual(names(cluster.objects), ['Namespace tools', 'ConfigMap mine']);
});

/** A Deployment with what it runs, of which pods are terminating with all their grace period. */
function terminatingWorkload(metadata: Partial<Metadata> = {}) {
  const owned = (of: KubeObject) => ({
    namespace: 'default',
    ownerReferences: [{ kind: of.kind, name: of.metadata.name, uid: of.metadata.uid ?? '' }],
  });
  const deployment = made('Deployment', 'web', { namespace: 'default', ...metadata }, 'apps/v1');
  const replicaSet = made('ReplicaSet', 'web-1', owned(deployment), 'apps/v1');
  const ending = { deletionTimestamp: '2026-01-02T03:04:05Z', deletionGracePeriodSeconds: 30 };
  const pod = (name: string) => made('Pod', name, { ...owned(replicaSet), ...ending, finalizers: ['slow'] });
  const other = made('Pod', 'theirs', { namespace: 'default', ...ending });
  return { deployment, replicaSet, pod, other };
}

test('the pods of a workload get a second to end, those of others all their time', async () => {
  const { deployment, replicaSet, pod, other } = terminatingWorkload();
  const { context, cluster } = contextOf([deployment, replicaSet, pod('web-1-1'), other]);
  onceDeleting(cluster, () => {
    setTimeout(() => {
      cluster.objects = [other];
    }, 100);
  });
  await removeObjects(context, [deployment]);
  assert.ok(cluster.calls.every(({ args }) => args.includes('--grace-period=1')));
  const [first, ...later] = cluster.calls.map((call) => call.names);
  assert.deepEqual(first, ['Deployment default/web', 'ReplicaSet default/web-1', 'Pod default/web-1-1']);
  assert.deepEqual([...new Set(later.flat())], ['Pod default/web-1-1'], 'and again, for the grace it was given before');
  assert.deepEqual(names(cluster.objects), ['Pod theirs']);
});

test('a pod that its ReplicaSet made at the last moment is waited for as well, and gets a second to end', async () => {
  const { deployment, replicaSet, pod } = terminatingWorkload();
  const { context, cluster } = contextOf([deployment, replicaSet, pod('web-1-1')]);
  onceDeleting(cluster, () => {
    cluster.objects = [pod('web-1-2')];
  });
  const removing = removeObjects(context, [deployment]).then(() => names(cluster.objects));
  const timer = setInterval(() => {
    if (!cluster.calls.some((call) => call.names.includes('Pod default/web-1-2'))) return;
    clearInterval(timer);
    cluster.objects = [made('ConfigMap', 'last')];
  }, 10);
  assert.deepEqual(await removing, ['ConfigMap last']);
});

test('what is held is told, with what holds it', async () => {
  const conditions = [
    { type: 'NamespaceFinalizersRemaining', status: 'True', message: 'example.com/hold in 1 instances' },
    { type: 'NamespaceContentRemaining', status: 'False', message: 'nothing' },
  ];
  const held = { ...made('Namespace', 'stuck', { finalizers: ['kubernetes'] }), status: { conditions } };
  const widget = made('ConfigMap', 'w', { namespace: 'default', finalizers: ['example.com/hold'] });
  const inside = made('Service', 'inside', { namespace: 'stuck' });
  const { context } = contextOf([held, widget, inside], 300);
  const { error, text } = await refusal(() => removeObjects(context, [held, widget, inside, held]));
  assert.equal(error.id, 'not-removed');
  assert.doesNotMatch(text, /inside|stuck:.*stuck:/s, 'what only waits for its namespace is no reason');
  assert.match(text, /Namespace stuck: example\.com\/hold in 1 instances\n/);
  assert.match(text, /ConfigMap default\/w is held by the finalizer example\.com\/hold\./);
});

test('what kubectl does not delete is told with its reason', async () => {
  const { context } = contextOf([namespace], 3000, 'error: timed out waiting for the condition on namespaces/tools');
  const { error } = await refusal(() => removeObjects(context, [namespace]));
  assert.equal(error.id, 'not-removed');
  assert.match(error.message, /: error: timed out .* on namespaces\/tools$/);
});

test('what holds an object is told without an answer of the cluster, but Ctrl-C ends it', async () => {
  const held = made('ConfigMap', 'w', { deletionTimestamp: 'now', finalizers: ['example.com/hold'] });
  const told = (error: Error) =>
    deletionObstacles(fakeContext({ api: () => ({ list: () => Promise.reject(error) }) }), [held]);
  assert.deepEqual(await told(new Unreachable('no answer')), [
    'ConfigMap w is held by the finalizer example.com/hold.',
  ]);
  await assert.rejects(told(new Interrupted()), Interrupted);
});

test('an object of the same name that somebody made meanwhile is not waited for', async () => {
  const old = made('Service', 'web', { namespace: 'default' });
  const { context, cluster } = contextOf([old]);
  const kubectl = await cluster.kubectl();
  const run: typeof kubectl.run = async (...given) => {
    await kubectl.run(...given);
    cluster.objects.push(made('Service', 'web', { namespace: 'default' }));
  };
  const reborn = fakeContext({ ...context, kubectl: async () => ({ run }) });
  assert.deepEqual(await removeObjects(reborn, [old]), ['Service default/web (removed)']);
  assert.deepEqual(names(cluster.objects), ['Service web']);
});

const finalizers = ['resources-finalizer.argocd.argoproj.io'];
const application = (name: string) =>
  made('Application', name, { namespace: 'argocd', finalizers }, 'argoproj.io/v1alpha1');
const deployed = (name: string, by = name) =>
  made('Service', name, {
    namespace: 'default',
    annotations: { 'argocd.argoproj.io/tracking-id': `${by}:/Service:default/${name}` },
  });
const controller = (ready: string) => ({
  ...made('Pod', 'argocd-application-controller-0', { namespace: 'argocd' }),
  status: { conditions: [{ type: 'Ready', status: ready }] },
});

test('where Argo CD has no controller, the finalizers are lifted and what it deployed is pruned', async () => {
  const ours = [application('core-go'), deployed('core-go')];
  const kept = [made('Service', 'mine'), application('guestbook'), deployed('guestbook')];
  const { context, cluster } = contextOf([...ours, ...kept]);
  await removeApplications(context, ours);
  assert.deepEqual(names(cluster.objects), ['Service mine', 'Application guestbook', 'Service guestbook']);
});

test('where it has one, that does the work, and the project is deleted after its Applications', async () => {
  const project = made('AppProject', 'platform', { namespace: 'argocd' }, 'argoproj.io/v1alpha1');
  const ours = [project, application('core-go'), deployed('core-go')];
  const { context, cluster } = contextOf([...ours, controller('True')]);
  const pruning = setTimeout(() => {
    const held = cluster.objects.find(({ kind }) => kind === 'Application') ?? assert.fail();
    assert.ok(held.metadata.deletionTimestamp, 'it was told');
    assert.deepEqual(held.metadata.finalizers, finalizers, 'and left to it');
    assert(cluster.objects.some((one) => one.kind === 'AppProject' && !one.metadata.deletionTimestamp));
    cluster.objects = [controller('True'), project];
  }, 100);
  await removeApplications(context, ours);
  clearTimeout(pruning);
  assert.deepEqual(names(cluster.objects), ['Pod argocd-application-controller-0']);
});

test('Applications are gone when Argo CD is done, also while their pods drain', async () => {
  const tracked = { annotations: { 'argocd.argoproj.io/tracking-id': 'web:apps/Deployment:default/web' } };
  const { deployment, replicaSet, pod } = terminatingWorkload(tracked);
  const own = application('web');
  own.metadata.managedFields = [{ manager: 'platform-ops', operation: 'Apply' }];
  const { context, cluster } = contextOf([own, deployment, replicaSet, pod('web-1-1'), controller('True')], 5000);
  onceDeleting(cluster, () => {
    cluster.objects = [pod('web-1-1'), controller('True')];
  });
  await removeApplications(context, [own, deployment]);
  assert.deepEqual(names(cluster.objects).toSorted(), ['Pod argocd-application-controller-0', 'Pod web-1-1']);
});

test('a webhook is deleted before the program that answers for it, also where Applications are among what goes', async () => {
  const hook = made('ValidatingWebhookConfiguration', 'guard', {}, 'admissionregistration.k8s.io/v1');
  const program = inNamespace('Deployment', 'guard', {}, 'apps/v1');
  const { context, cluster } = contextOf([namespace, hook, program]);
  await removeApplications(context, [program, namespace, hook]);
  assert.deepEqual(cluster.objects, []);
  const guards = cluster.calls.flatMap((call) => call.names).filter((name) => name.endsWith('guard'));
  assert.equal(guards[0], 'ValidatingWebhookConfiguration guard');
});

// What is on its way out when something is to be applied, as after a removal that was interrupted.
const of = (kind: string, name: string, namespace?: string): KubeObject => ({
  apiVersion: kind === 'Namespace' ? 'v1' : kind === 'Deployment' ? 'apps/v1' : 'argoproj.io/v1alpha1',
  kind,
  metadata: { name, ...(namespace !== undefined && { namespace }) },
});
const leaving = (object: KubeObject): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, deletionTimestamp: 'now', finalizers: ['resources-finalizer.argocd.argoproj.io'] },
});
/** A cluster in which these are on their way out for some looks. */
function clusterWith(objects: KubeObject[], { looks, argocd = true }: { looks: number; argocd?: boolean }) {
  let count = 0;
  const exec = fakeExec(() => ({}));
  const status = { conditions: [{ type: 'X', status: 'True', message: 'example.com/hold in 1 resource instances' }] };
  const listMetadata = async (_: string, kind: string) => {
    count += 1;
    return count > looks ? [] : objects.filter((object) => object.kind === kind).map(leaving);
  };
  const context = fakeContext({
    timeout: 50,
    signal: new AbortController().signal,
    kubectl: async () => ({ run: (args: readonly string[]) => exec(['kubectl', ...args]) }),
    api: () => ({
      listMetadata,
      list: async (_: string, kind: string) => {
        if (kind === 'Namespace') return objects.map((object) => ({ ...leaving(object), status }));
        return argocd ? [controller('True')] : [];
      },
    }),
    view: () => ({ listHeads: listMetadata }),
  });
  return { exec, context, looks: () => count };
}

for (const object of [of('Namespace', 'a'), of('Application', 'a', 'argocd'), of('Deployment', 'a', 'b')]) {
  test(`a ${object.kind} on its way out is waited for, and told where it stays`, async () => {
    const passing = clusterWith([object], { looks: 1 });
    await waitForTermination(Object.assign(passing.context, { timeout: 5000 }), [object]);
    assert(passing.looks() > 1);
    const stuck = clusterWith([object], { looks: 1000 });
    const { error, text } = await refusal(() => waitForTermination(stuck.context, [object]));
    assert.equal(error.id, 'finalizers');
    assert.match(text, new RegExp(`^${object.kind} .*a .*0\\.05 s`));
    assert.match(text, object.kind === 'Namespace' ? /: example\.com\/hold in 1/ : /held by the finalizer resources-f/);
  });
}

test('where nobody answers, that is what is told', async () => {
  const silent = new Unreachable('the API server at https://x does not answer: no answer within 10 s');
  const context = fakeContext({
    timeout: 20,
    node: 'x-control-plane',
    exec: fakeExec(() => ({})),
    signal: new AbortController().signal,
    view: () => ({ listHeads: () => Promise.reject(silent) }),
  });
  const { error } = await refusal(() => waitForTermination(context, [of('Namespace', 'a')]));
  assert.equal(error.id, 'api-server-silent');
  assert.match(error.hint ?? '', /docker logs x-control-plane/);
});

test('what is not wanted again is not waited for', async () => {
  const { context } = clusterWith([of('Application', 'other', 'argocd'), of('Deployment', 'a', 'elsewhere')], {
    looks: 1000,
  });
  await waitForTermination(context, [of('Application', 'a', 'argocd'), of('Deployment', 'a', 'b')]);
});

test('where Argo CD is gone, what it holds back is let go; a Deployment is none of that', async () => {
  const application = of('Application', 'a', 'argocd');
  const gone = clusterWith([application], { looks: 3, argocd: false });
  await waitForTermination(Object.assign(gone.context, { timeout: 5000 }), [application]);
  assert.match(
    gone.exec.lines()[0] ?? '',
    /^kubectl patch applications\.argoproj\.io a --namespace argocd .*"finalizers":null/,
  );
  const other = clusterWith([of('Deployment', 'a', 'b')], { looks: 1, argocd: false });
  await waitForTermination(Object.assign(other.context, { timeout: 5000 }), [of('Deployment', 'a', 'b')]);
  assert.deepEqual(other.exec.lines(), []);
});
