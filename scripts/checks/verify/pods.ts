import type { Pod, Workload } from '../../kubernetes/workloads.ts';
import { servicesNamespace } from '../../repository/applications.ts';
import type { Live } from './live.ts';

/** The label by which a pod says which service it is of. */
export const nameLabel = 'app.kubernetes.io/name';

export interface ServicePod {
  service: string;
  pod: Pod;
}

/** The pods of the services, those that are on their way out or over left out. */
export async function servicePods(live: Live): Promise<ServicePod[]> {
  const [services, pods] = await Promise.all([live.services(), live.list<Pod>('v1', 'Pod', servicesNamespace)]);
  const deployments = await live.list<Workload>('apps/v1', 'Deployment', servicesNamespace);
  return pods.flatMap((pod) => {
    const { deletionTimestamp, labels = {} } = pod.metadata;
    if (deletionTimestamp !== undefined || ['Succeeded', 'Failed'].includes(pod.status.phase)) return [];
    const service = labels[nameLabel] ?? '';
    // The pod of `helm test`, say, has a name of its own and no Deployment.
    const isDeployed = deployments.some(({ metadata }) => metadata.name === service);
    return services.includes(service) && isDeployed ? [{ service, pod }] : [];
  });
}
