import type { Fault } from '../fault.ts';
import type { World } from '../world.ts';

const webhook = 'outage.example.com';
const namespace = 'observability';
const controllerManager = '/etc/kubernetes/manifests/kube-controller-manager.yaml';

/** Something in the cluster stands in the way that is not the platform's, or not ready. */
export const cluster: readonly Fault[] = [
  {
    name: 'webhook of the ingress controller without its program',
    ends: 'success',
    says: [/✔ routes/],
    within: 180,
    async plant(world) {
      await world.kubectl(
        'scale',
        'deployment',
        'ingress-nginx-controller',
        '--namespace=ingress-nginx',
        '--replicas=0',
      );
      return world.types('up');
    },
  },
  {
    name: "somebody's webhook that is not ready for ten seconds",
    ends: 'success',
    says: [/Tried again: .*failed calling webhook "outage\.example\.com"/],
    within: 180,
    async plant(world) {
      await plantWebhook(world, '', 'configmaps');
      return world.types('up', { on: [[/Tried again/, () => setTimeout(() => removeWebhook(world), 10_000)]] });
    },
  },
  {
    name: "somebody's webhook that never gets ready",
    ends: 'message',
    says: [/failed calling webhook "outage\.example\.com"/, /→ Nobody answers for the webhook outage\.example\.com/],
    within: 180,
    async plant(world) {
      await plantWebhook(world, 'networking.k8s.io', 'ingresses');
      return world.types('up --timeout 20');
    },
  },
  {
    name: 'namespace that a finalizer keeps Terminating',
    ends: 'message',
    says: [/Namespace observability is still being deleted after 20 s/, /example\.com\/hold/],
    within: 120,
    async plant(world) {
      const held = ['configmap', 'held', `--namespace=${namespace}`];
      const hold = (finalizers: string[]) =>
        world.kubectl('patch', ...held, '--type=merge', '--patch', JSON.stringify({ metadata: { finalizers } }));
      await world.kubectl('create', ...held);
      await hold(['example.com/hold']);
      world.undo(() => hold([]));
      await world.kubectl('delete', 'namespace', namespace, '--wait=false');
      return world.types('up --timeout 20');
    },
  },
  {
    name: 'default ServiceAccount that is not there yet',
    ends: 'success',
    says: [/✔ grafana/],
    within: 300,
    async plant(world) {
      const restore = await withoutAccounts(world);
      const later = () => setTimeout(restore, 15_000);
      return world.types('up', { on: [[/✔ cluster/, later]] });
    },
  },
  {
    name: 'default ServiceAccount that never comes',
    ends: 'message',
    says: [/grafana: .*can't be made: .*error looking up service account observability\/default/, /→ Kubernetes makes/],
    within: 180,
    async plant(world) {
      await withoutAccounts(world);
      return world.types('up --timeout 30');
    },
  },
];

async function plantWebhook(world: World, group: string, resource: string): Promise<void> {
  const configuration = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: webhook },
    webhooks: [
      {
        name: webhook,
        clientConfig: { service: { namespace: 'default', name: 'nobody' } },
        rules: [{ apiGroups: [group], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: [resource] }],
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
      },
    ],
  };
  world.undo(() => removeWebhook(world));
  await world.inNode(
    `echo '${JSON.stringify(configuration)}' | kubectl --kubeconfig /etc/kubernetes/admin.conf apply -f -`,
  );
  // A dry run that it refuses tells that the API server knows it.
  const probe = `kubectl --kubeconfig /etc/kubernetes/admin.conf`;
  const offer =
    resource === 'configmaps'
      ? 'create configmap probe --dry-run=server'
      : 'create ingress probe --rule=probe.invalid/=x:1 --class=none --dry-run=server';
  await world.inNode(
    `for look in $(seq 50); do if ! ${probe} ${offer} > /dev/null 2>&1; then exit 0; fi; sleep 0.2; done; exit 1`,
  );
}

async function removeWebhook(world: World): Promise<void> {
  await world.kubectl('delete', 'validatingwebhookconfiguration', webhook, '--ignore-not-found');
}

/** Has nobody make accounts in new namespaces, and deletes one, which then has to be made anew. Hands back how to end that. */
async function withoutAccounts(world: World): Promise<() => Promise<unknown>> {
  const restore = () => world.inNode(`sed -i 's/,-serviceaccount-controller//' ${controllerManager}`);
  world.undo(restore);
  await world.kubectl('delete', 'namespace', namespace);
  await world.inNode(`
    before=$(pidof kube-controller-manager)
    sed -i 's/--controllers=[^ ]*/&,-serviceaccount-controller/' ${controllerManager}
    for look in $(seq 120); do
      now=$(pidof kube-controller-manager || true)
      if test -n "$now" -a "$now" != "$before"; then exit 0; fi
      sleep 0.5
    done
    exit 1`);
  return restore;
}
