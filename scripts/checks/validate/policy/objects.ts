import type { Located } from '../../../repository/rendering/finding.ts';
import type { Fields, ObjectRule } from './rule.ts';

/** Rules for what stands around the pods of the services. */
export const chartRules: readonly ObjectRule[] = [
  {
    id: 'service-replicas',
    demands: 'A Deployment under an HPA states no replicas: Argo CD would set them back each time.',
    remedy: 'Leave spec.replicas out while autoscaling is enabled.',
    kinds: ['Deployment'],
    faults: (located, all) =>
      spec(located).replicas === undefined || scalerOf(located, all) === undefined
        ? []
        : [{ path: ['spec', 'replicas'], message: `it is ${spec(located).replicas}, and an HPA decides.` }],
  },
  {
    id: 'hpa-bounds',
    demands: 'An HPA has a minimum of at least one pod, and a maximum that is not below it.',
    remedy: 'Correct autoscaling.minReplicas and autoscaling.maxReplicas.',
    kinds: ['HorizontalPodAutoscaler'],
    faults(located) {
      const { minReplicas = 1, maxReplicas } = spec(located);
      if (minReplicas >= 1 && minReplicas <= maxReplicas) return [];
      return [{ path: ['spec', 'minReplicas'], message: `the minimum is ${minReplicas}, the maximum ${maxReplicas}.` }];
    },
  },
  {
    id: 'hpa-metrics',
    demands: 'An HPA goes by CPU and memory, and says how fast it scales.',
    remedy: 'Give it a metric of type Resource for cpu and one for memory, and a behavior with scaleUp and scaleDown.',
    kinds: ['HorizontalPodAutoscaler'],
    faults(located) {
      const { metrics = [], behavior } = spec(located);
      const missing = ['cpu', 'memory'].filter(
        (name) => !metrics.some((metric: Fields) => metric?.resource?.name === name),
      );
      return [
        ...missing.map((name) => ({ path: ['spec', 'metrics'], message: `${name} is not among them.` })),
        ...(behavior?.scaleUp && behavior?.scaleDown
          ? []
          : [{ path: ['spec', 'behavior'], message: 'scaleUp and scaleDown are not both there.' }]),
      ];
    },
  },
  {
    id: 'pdb-drain',
    demands: 'A PodDisruptionBudget lets a node be drained even at the fewest pods.',
    remedy: 'Set maxUnavailable: 1, or a minAvailable below the fewest pods.',
    kinds: ['PodDisruptionBudget'],
    faults(located, all) {
      const { minAvailable, maxUnavailable } = spec(located);
      const fewest = fewestPods(located, all);
      const evictable =
        maxUnavailable === undefined
          ? fewest - podCount(minAvailable ?? fewest, fewest)
          : podCount(maxUnavailable, fewest);
      if (evictable >= 1) return [];
      return [{ path: ['spec'], message: `at ${fewest} pods none of them may be evicted.` }];
    },
  },
  {
    id: 'pdb-unhealthy-pods',
    demands: 'A PodDisruptionBudget does not protect pods that are not ready.',
    remedy: 'Set unhealthyPodEvictionPolicy: AlwaysAllow.',
    kinds: ['PodDisruptionBudget'],
    faults: (located) =>
      spec(located).unhealthyPodEvictionPolicy === 'AlwaysAllow'
        ? []
        : [
            {
              path: ['spec', 'unhealthyPodEvictionPolicy'],
              message: 'a pod that never gets ready holds up the drain.',
            },
          ],
  },
  {
    id: 'ingress-rate-limit',
    demands: 'An Ingress limits the rate of requests of a client.',
    remedy: 'Add the annotation nginx.ingress.kubernetes.io/limit-rps under ingress.annotations.',
    kinds: ['Ingress'],
    faults: ({ object }) =>
      /^[1-9]\d*$/.test(object.metadata.annotations?.['nginx.ingress.kubernetes.io/limit-rps'] ?? '')
        ? []
        : [{ path: ['metadata', 'annotations'], message: 'one client can take all of the service.' }],
  },
];

/** Rules for objects wherever they come from. */
export const objectRules: readonly ObjectRule[] = [
  {
    id: 'ingress-tls',
    demands: 'An Ingress has a certificate for each of its hosts.',
    remedy: 'List the hosts under tls, with the name of the Secret that holds their certificate.',
    kinds: ['Ingress'],
    faults(located) {
      // values.yaml alone is never deployed, and the certificate is one of its environment.
      if (located.rendering?.values === 'values.yaml') return [];
      const { tls = [], rules = [] } = spec(located);
      const covered = tls.flatMap(({ hosts = [], secretName }: Fields) => (secretName ? hosts : []));
      return rules.flatMap(({ host }: Fields, i: number) =>
        covered.includes(host)
          ? []
          : [{ path: ['spec', 'rules', i], message: `${host ?? 'any host'} has no certificate.` }],
      );
    },
  },
  {
    id: 'rbac-wildcard',
    demands: 'A role names what it allows, and allows nothing by *.',
    remedy: 'Name the groups, the resources and the verbs that are needed.',
    kinds: ['ClusterRole', 'Role'],
    faults: ({ object }) =>
      ((object.rules ?? []) as Fields[]).flatMap((rule, i) =>
        ['apiGroups', 'resources', 'verbs', 'nonResourceURLs']
          .filter((field) => (rule?.[field] ?? []).some((value: string) => value.includes('*')))
          .map((field) => ({ path: ['rules', i, field], message: 'it holds a *.' })),
      ),
  },
  {
    id: 'secret-in-git',
    demands: 'No Secret is in Git, not even an empty one: only what kubeseal made of it.',
    remedy: 'Seal it with kubeseal, and put the result under sealedSecret.encryptedData.',
    kinds: ['Secret'],
    faults: () => [{ path: [], message: 'whoever reads the repository reads it.' }],
  },
];

function spec({ object }: Located): Fields {
  return object.spec ?? {};
}

function scalerOf({ object }: Located, all: readonly Located[]): Located | undefined {
  return all.find(
    (each) =>
      each.object.kind === 'HorizontalPodAutoscaler' && spec(each).scaleTargetRef?.name === object.metadata.name,
  );
}

/** How many pods run at the least: the HPA's minimum, or the replicas of the Deployment that the budget selects. */
function fewestPods(budget: Located, all: readonly Located[]): number {
  const wanted = Object.entries(spec(budget).selector?.matchLabels ?? {});
  const deployment = all.find(({ object }) => {
    const labels = object.kind === 'Deployment' ? (object.spec as Fields).template?.metadata?.labels : undefined;
    return labels !== undefined && wanted.every(([name, value]) => labels[name] === value);
  });
  if (deployment === undefined) return 1;
  const scaler = scalerOf(deployment, all);
  return scaler === undefined ? (spec(deployment).replicas ?? 1) : (spec(scaler).minReplicas ?? 1);
}

/** A number of pods, or a percentage of them, which Kubernetes rounds up. */
function podCount(value: number | string, all: number): number {
  return typeof value === 'number' ? value : Math.ceil((Number.parseInt(value, 10) / 100) * all);
}
