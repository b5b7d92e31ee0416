import type { Context } from '../../images/context.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { type Pod, selects, type Workload } from '../../kubernetes/workloads.ts';
import { type Application, applicationsNow, servicesNamespace } from '../../repository/applications.ts';

/** A set of pods of one template, as a Deployment makes one for each. */
export type ReplicaSet = Workload;

/** An Application at one moment, with its Deployment and what there is of that. */
export interface Sight {
  application: Application;
  deployment: Workload | undefined;
  replicaSets: ReplicaSet[];
  pods: Pod[];
}

/** Milliseconds that a look counts for all who ask. Below the interval of waiting, so that nobody sees the same twice. */
const freshness = 300;

/** Makes what looks at all Applications at once, for those who wait for one of them each. Throws `ApiError` and `Unreachable`. */
export function createLookout(context: Context): () => Promise<Sight[]> {
  let last: { at: number; sights: Promise<Sight[]> } | undefined;
  return () => {
    if (!last || Date.now() - last.at > freshness) last = { at: Date.now(), sights: look(context) };
    return last.sights;
  };
}

async function look(context: Context): Promise<Sight[]> {
  // In this order: what says that it was synced must not be seen beside a Deployment of before that.
  const applications = await applicationsNow(context);
  const api = context.api();
  const [deployments, replicaSets, pods] = await Promise.all([
    api.list<Workload>('apps/v1', 'Deployment', servicesNamespace),
    api.list<ReplicaSet>('apps/v1', 'ReplicaSet', servicesNamespace),
    api.list<Pod>('v1', 'Pod', servicesNamespace),
  ]);
  return applications.map((application) => {
    const deployment = deployments.find(({ metadata }) => metadata.name === application.metadata.name);
    const ofDeployment = ({ metadata }: KubeObject) =>
      metadata.ownerReferences?.some(({ uid }) => uid === deployment?.metadata.uid) ?? false;
    return {
      application,
      deployment,
      replicaSets: replicaSets.filter(ofDeployment),
      pods: pods.filter(({ metadata }) => selects(deployment?.spec.selector.matchLabels, metadata)),
    };
  });
}
