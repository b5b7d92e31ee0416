import type { Context } from '../../images/context.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import type { HorizontalPodAutoscaler, Pod, Workload } from '../../kubernetes/types.ts';
import { waitThroughOutages } from '../../kubernetes/waiting/api-server.ts';
import { isReady } from '../../kubernetes/workloads.ts';
import { UserError } from '../../lib/errors.ts';
import { servicesNamespace } from '../../repository/applications.ts';

/** Milliseconds between two looks: the times that are measured are as exact as that. */
const intervalMs = 100;

/**
 * Looks until nothing is missing, and returns the seconds that took, from `started` on (`performance.now()`). Throws a
 * `UserError` that says what was missing at the context's deadline.
 */
export async function waitForState(
  context: Context,
  look: () => Promise<string | undefined>,
  started = performance.now(),
): Promise<number> {
  const missing = await waitThroughOutages(context, look, intervalMs);
  if (missing !== undefined)
    throw new UserError(`Timed out after ${context.timeout / 1000} s: ${missing}.`, { hint: 'npm run status' });
  return (performance.now() - started) / 1000;
}

/** What Argo CD deploys for a service, under the service's name; undefined where there is none. */
export async function serviceObject<T extends KubeObject>(
  context: Context,
  apiVersion: string,
  kind: string,
  service: string,
): Promise<T | undefined> {
  const all = await context.api().list<T>(apiVersion, kind, servicesNamespace);
  return all.find(({ metadata }) => metadata.name === service);
}

export function deploymentOf(context: Context, service: string): Promise<Workload | undefined> {
  return serviceObject<Workload>(context, 'apps/v1', 'Deployment', service);
}

export function autoscalerOf(context: Context, service: string): Promise<HorizontalPodAutoscaler | undefined> {
  return serviceObject<HorizontalPodAutoscaler>(context, 'autoscaling/v2', 'HorizontalPodAutoscaler', service);
}

/** The pods of a service's Deployment that are not on their way out; none that you started with the same labels. */
export async function podsOfService(context: Context, service: string): Promise<Pod[]> {
  const pods = await context.api().list<Pod>('v1', 'Pod', servicesNamespace);
  return pods.filter(
    ({ metadata: { labels, ownerReferences, deletionTimestamp } }) =>
      labels?.['app.kubernetes.io/name'] === service &&
      ownerReferences?.some(({ kind, name }) => kind === 'ReplicaSet' && name.startsWith(`${service}-`)) &&
      deletionTimestamp === undefined,
  );
}

/** Those of them that serve. */
export async function readyPods(context: Context, service: string): Promise<Pod[]> {
  return (await podsOfService(context, service)).filter(isReady);
}

/** The pods of a service that serve; at least one. */
export async function servingPods(context: Context, service: string): Promise<string[]> {
  const names = (await readyPods(context, service)).map(({ metadata }) => metadata.name);
  if (names.length === 0) throw new UserError(`No pod of ${service} serves.`, { hint: 'npm run status' });
  return names;
}
