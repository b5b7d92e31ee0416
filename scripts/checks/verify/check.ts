import { prometheusNamespace } from '../../components/prometheus-client.ts';
import { isMonitored } from '../../components/services.ts';
import { listIn } from '../../kubernetes/api/api.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import type { Pod, Workload } from '../../kubernetes/types.ts';
import { isOfService } from '../../kubernetes/workloads.ts';
import type { LiveCluster } from './live.ts';

/** One thing that is not as promised. */
export interface VerificationFinding {
  /** One sentence: what was found, and what it means. */
  message: string;
  /** What to do about it. */
  remedy: string;
  /** It does not pass by itself, so there is no point in waiting. */
  lasting?: true;
}

export interface CheckResult {
  /** A place for each thing that was looked at; undefined where nothing was found. */
  findings: readonly (VerificationFinding | undefined)[];
  /** What was looked at, in a few words: '4 pods of 3 services'. */
  detail: string;
}

/** One line of `npm run verify`. */
export interface VerificationCheck {
  /** The word that chooses it: `npm run verify -- targets`. */
  name: string;
  /** What is true when it finds nothing, as a short phrase. */
  title: string;
  /**
   * Looks at the cluster once. What it finds may pass by itself, as while a pod starts: then it is called again. `worthIt`
   * tells one that waits itself whether that still makes sense. Throws what makes looking impossible.
   */
  run(live: LiveCluster, worthIt: () => boolean): Promise<CheckResult>;
}

/** The label by which a pod says which service it is of. */
const nameLabel = 'app.kubernetes.io/name';

/** The objects of a kind in the namespaces of the services. */
export async function listServiceObjects<T extends KubeObject>(
  live: LiveCluster,
  apiVersion: string,
  kind: string,
): Promise<T[]> {
  const namespaces = new Set((await live.services()).map(({ namespace }) => namespace));
  return listIn<T>(live, apiVersion, kind, [...namespaces]);
}

export interface ServicePod {
  service: string;
  pod: Pod;
}

/** The pods of the services, except those that have ended or are terminating; none of a chart that offers no metrics. */
export async function servicePods(live: LiveCluster): Promise<ServicePod[]> {
  const [services, pods, deployments] = await Promise.all([
    live.services(),
    listServiceObjects<Pod>(live, 'v1', 'Pod'),
    listServiceObjects<Workload>(live, 'apps/v1', 'Deployment'),
  ]);
  return pods.filter(isMonitored).flatMap((pod) => {
    const { deletionTimestamp, labels = {}, namespace } = pod.metadata;
    if (deletionTimestamp !== undefined || ['Succeeded', 'Failed'].includes(pod.status.phase)) return [];
    const service = labels[nameLabel] ?? '';
    // The pod of `helm test`, say, has a name of its own and no Deployment.
    const isDeployed = deployments.some(isOfService(service, namespace));
    const isKnown = services.some((one) => one.name === service && one.namespace === namespace);
    return isKnown && isDeployed ? [{ service, pod }] : [];
  });
}

/** The pods of Prometheus. */
export async function prometheusPods(live: LiveCluster): Promise<Pod[]> {
  const pods = await live.list<Pod>('v1', 'Pod', prometheusNamespace);
  return pods.filter(({ metadata }) => metadata.labels?.[nameLabel] === 'prometheus');
}
