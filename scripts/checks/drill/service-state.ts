import type { Context } from '../../images/context.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import type { HorizontalPodAutoscaler, Pod, Workload } from '../../kubernetes/types.ts';
import { timeoutError, waitThroughOutages } from '../../kubernetes/waiting/api-server.ts';
import { isOfService, isReady } from '../../kubernetes/workloads.ts';
import type { DrillService } from './drill.ts';

/** Milliseconds between two looks: the times that are measured are as exact as that. */
const intervalMs = 100;

/**
 * Looks until nothing is missing.
 * @returns the seconds that took, from `started` on (`performance.now()`)
 * @throws UserError that says what was missing at the context's deadline
 */
export async function waitForState(
  context: Context,
  look: () => Promise<string | undefined>,
  started = performance.now(),
): Promise<number> {
  const missing = await waitThroughOutages(context, look, intervalMs);
  if (missing !== undefined)
    throw await timeoutError(context, missing, 'npm run up repairs it; npm run status shows it.');
  return (performance.now() - started) / 1000;
}

/** What Argo CD deploys for a service, under the service's name; undefined where there is none. */
export async function serviceObject<T extends KubeObject>(
  context: Context,
  apiVersion: string,
  kind: string,
  { name, namespace }: DrillService,
): Promise<T | undefined> {
  const all = await context.api().list<T>(apiVersion, kind, namespace);
  return all.find(isOfService(name));
}

/** What says how many pods a service has: its autoscaler, or where it has none its Deployment. */
interface Scaler {
  kind: string;
  name: string;
  /** The fewest pods, also when there is nothing to do. */
  least: number;
  /** The field with the most pods, and its value. */
  field: string;
  most: number;
}

export async function scalerOf(context: Context, service: DrillService): Promise<Scaler> {
  const [autoscaler, deployment] = await Promise.all([
    serviceObject<HorizontalPodAutoscaler>(context, 'autoscaling/v2', 'HorizontalPodAutoscaler', service),
    serviceObject<Workload>(context, 'apps/v1', 'Deployment', service),
  ]);
  if (autoscaler) {
    const { minReplicas = 1, maxReplicas } = autoscaler.spec;
    const { name } = autoscaler.metadata;
    return { kind: 'horizontalpodautoscaler', name, least: minReplicas, field: 'maxReplicas', most: maxReplicas };
  }
  const replicas = deployment?.spec.replicas ?? 1;
  const name = deployment?.metadata.name ?? service.name;
  return { kind: 'deployment', name, least: replicas, field: 'replicas', most: replicas };
}

/** The pods of a service's Deployment that are not on their way out; none that you started with the same labels. */
export async function podsOfService(context: Context, service: DrillService): Promise<Pod[]> {
  const [pods, deployment] = await Promise.all([
    context.api().list<Pod>('v1', 'Pod', service.namespace),
    serviceObject<Workload>(context, 'apps/v1', 'Deployment', service),
  ]);
  const prefix = `${deployment?.metadata.name ?? service.name}-`;
  return pods.filter(
    ({ metadata: { labels, ownerReferences, deletionTimestamp } }) =>
      labels?.['app.kubernetes.io/name'] === service.name &&
      ownerReferences?.some(({ kind, name }) => kind === 'ReplicaSet' && name.startsWith(prefix)) &&
      deletionTimestamp === undefined,
  );
}

/** The names of the pods of a service that serve, without those of `gone`. */
export async function servingPods(
  context: Context,
  service: DrillService,
  gone: readonly string[] = [],
): Promise<string[]> {
  const names = (await podsOfService(context, service)).filter(isReady).map(({ metadata }) => metadata.name);
  return names.filter((name) => !gone.includes(name));
}
