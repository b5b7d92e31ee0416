import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { removeApplications } from '../../scripts/components/applications-removal.ts';
import { removeObjects } from '../../scripts/components/removal.ts';
import type { KubeObject, Metadata } from '../../scripts/kubernetes/objects.ts';
import { fakeCluster, made } from '../support/fake-cluster.ts';
import { fakeContext, refusal } from '../support/fakes.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

function contextOf(objects: readonly KubeObject[], timeout = 3000) {
  const cluster = fakeCluster(objects);
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

test('the pods of a workload get a second to end, those of others all their time', async () => {
  const deployment = made('Deployment', 'ours', { namespace: 'default' }, 'apps/v1');
  const owner = (of: KubeObject) => ({
    namespace: 'default',
    ownerReferences: [{ kind: of.kind, name: of.metadata.name, uid: of.metadata.uid ?? '' }],
  });
  const replicaSet = made('ReplicaSet', 'ours-1', owner(deployment), 'apps/v1');
  const ending = { deletionTimestamp: '2026-01-02T03:04:05Z', deletionGracePeriodSeconds: 30 };
  const pod = made('Pod', 'ours-1-1', { ...owner(replicaSet), ...ending, finalizers: ['slow'] });
  const other = made('Pod', 'theirs', { namespace: 'default', ...ending });
  const { context, cluster } = contextOf([deployment, replicaSet, pod, other]);
  onceDeleting(cluster, () => {
    setTimeout(() => {
      cluster.objects = cluster.objects.filter(({ metadata }) => metadata.name === 'theirs');
    }, 100);
  });
  await removeObjects(context, [deployment]);
  assert.ok(cluster.calls.every(({ args }) => args.includes('--grace-period=1')));
  const [first, ...later] = cluster.calls.map((call) => call.names);
  assert.deepEqual(first, ['Deployment default/ours', 'ReplicaSet default/ours-1', 'Pod default/ours-1-1']);
  assert.deepEqual(
    [...new Set(later.flat())],
    ['Pod default/ours-1-1'],
    'and again, for the grace it was given before',
  );
  assert.deepEqual(names(cluster.objects), ['Pod theirs']);
});

/** A Deployment with what it runs, in which a pod is terminating with all its grace period. */
function terminatingWorkload(metadata: Partial<Metadata> = {}) {
  const owned = (of: KubeObject) => ({
    namespace: 'default',
    ownerReferences: [{ kind: of.kind, name: of.metadata.name, uid: of.metadata.uid ?? '' }],
  });
  const deployment = made('Deployment', 'web', { namespace: 'default', ...metadata }, 'apps/v1');
  const replicaSet = made('ReplicaSet', 'web-1', owned(deployment), 'apps/v1');
  const ending = { deletionTimestamp: '2026-01-02T03:04:05Z', deletionGracePeriodSeconds: 30 };
  const pod = (name: string) => made('Pod', name, { ...owned(replicaSet), ...ending, finalizers: ['slow'] });
  return { deployment, replicaSet, pod };
}

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
  const held = {
    ...made('Namespace', 'stuck', { finalizers: ['kubernetes'] }),
    status: {
      conditions: [
        {
          type: 'NamespaceFinalizersRemaining',
          status: 'True',
          message: 'finalizers remain: example.com/hold in 1 instances',
        },
        { type: 'NamespaceContentRemaining', status: 'False', message: 'nothing' },
      ],
    },
  };
  const widget = made('ConfigMap', 'w', { namespace: 'default', finalizers: ['example.com/hold'] });
  const inside = made('Service', 'inside', { namespace: 'stuck' });
  const { context } = contextOf([held, widget, inside], 700);
  const { text } = await refusal(() => removeObjects(context, [held, widget, inside, held]));
  assert.doesNotMatch(text, /inside|stuck:.*stuck:/s, 'what only waits for its namespace is no reason');
  assert.match(text, /Namespace stuck: finalizers remain: example\.com\/hold in 1 instances\n/);
  assert.match(text, /ConfigMap default\/w is held by the finalizer example\.com\/hold\./);
  assert.match(text, /npm run reset continues .*npm run down/);
});

test('an object of the same name that somebody made meanwhile is not waited for', async () => {
  const old = made('Service', 'web', { namespace: 'default' });
  const { context, cluster } = contextOf([old]);
  const { kubectl } = cluster;
  const withRebirth = fakeContext({
    ...context,
    kubectl: async () => {
      const real = await kubectl();
      return {
        ...real,
        run: async (args: readonly string[], options: object) => {
          await real.run(args, options);
          cluster.objects.push(made('Service', 'web', { namespace: 'default' }));
        },
      };
    },
  });
  assert.deepEqual(await removeObjects(withRebirth, [old]), ['Service default/web (removed)']);
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

test('where it has one, that does the work', async () => {
  const ours = [application('core-go'), deployed('core-go')];
  const { context, cluster } = contextOf([...ours, controller('True')]);
  const pruning = setTimeout(() => {
    const held = cluster.objects.find(({ kind }) => kind === 'Application') ?? assert.fail();
    assert.ok(held.metadata.deletionTimestamp, 'it was told');
    assert.deepEqual(held.metadata.finalizers, finalizers, 'and left to it');
    cluster.objects = [controller('True')];
  }, 500);
  await removeApplications(context, ours);
  clearTimeout(pruning);
  assert.deepEqual(names(cluster.objects), ['Pod argocd-application-controller-0']);
});

test('Applications are gone when their pods are, which terminate when Argo CD is done', async () => {
  const tracked = { annotations: { 'argocd.argoproj.io/tracking-id': 'web:apps/Deployment:default/web' } };
  const { deployment, replicaSet, pod } = terminatingWorkload(tracked);
  const own = application('web');
  own.metadata.managedFields = [{ manager: 'platform-ops', operation: 'Apply' }];
  const scene = [own, deployment, replicaSet, pod('web-1-1'), controller('True')];
  const { context, cluster } = contextOf(scene);
  onceDeleting(cluster, () => {
    cluster.objects = [pod('web-1-1'), controller('True')];
    setTimeout(() => {
      cluster.objects = [controller('True')];
    }, 800);
  });
  await removeApplications(context, [own, deployment]);
  assert.deepEqual(names(cluster.objects), ['Pod argocd-application-controller-0']);

  const stuck = contextOf([own, deployment, replicaSet, pod('web-1-1'), controller('True')], 600);
  onceDeleting(stuck.cluster, () => {
    stuck.cluster.objects = stuck.cluster.objects.filter(({ kind }) => kind === 'Pod');
  });
  const { text } = await refusal(() => removeApplications(stuck.context, [own, deployment]));
  assert.match(text, /Pod default\/web-1-1 still terminates after 0\.6 s\./);
});

test('a webhook goes before the program that answers for it, also where Applications are among what goes', async () => {
  const hook = made('ValidatingWebhookConfiguration', 'guard', {}, 'admissionregistration.k8s.io/v1');
  const program = inNamespace('Deployment', 'guard', {}, 'apps/v1');
  const { context, cluster } = contextOf([namespace, hook, program]);
  await removeApplications(context, [program, namespace, hook]);
  assert.deepEqual(cluster.objects, []);
  const deleted = cluster.calls.flatMap((call) => call.names);
  const [first, second] = ['ValidatingWebhookConfiguration guard', 'Deployment tools/guard'].map((name) =>
    deleted.indexOf(name),
  );
  assert.ok(first !== undefined && second !== undefined && first < second, deleted.join());
});
