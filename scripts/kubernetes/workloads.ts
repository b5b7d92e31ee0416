import type { KubeObject, Metadata } from './objects.ts';
import type { Job, Pod, PodSpec, Workload } from './types.ts';

export const workloadKinds: ReadonlySet<string> = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'Job']);

/**
 * What a workload still misses, or undefined once its rollout is over. "Available" alone is not enough: a Deployment
 * of one replica that tolerates one missing pod is Available before any pod of it runs.
 */
export function missingOf(object: KubeObject): string | undefined {
  if (object.kind === 'Job') return missingOfJob(object as Job);
  const { spec, status = {}, metadata } = object as Workload;
  if ((status.observedGeneration ?? 0) < (metadata.generation ?? 0)) return 'its controller has not seen it yet';
  if (object.kind === 'DaemonSet') {
    const wanted = status.desiredNumberScheduled ?? 0;
    return rolledOut(wanted, status.updatedNumberScheduled ?? 0, status.numberAvailable ?? 0);
  }
  const wanted = spec.replicas ?? 1;
  const old = (status.replicas ?? 0) - (status.updatedReplicas ?? 0);
  const available = object.kind === 'StatefulSet' ? status.readyReplicas : status.availableReplicas;
  const missing = rolledOut(wanted, status.updatedReplicas ?? 0, available ?? 0);
  if (missing === undefined) return old > 0 ? `${old} of its old pods are still there` : undefined;
  // Said of a Deployment whose pods the API server refuses, for lack of an account or of quota, say: no pod tells of it.
  const refusal = status.conditions?.find(({ type, status: holds }) => type === 'ReplicaFailure' && holds === 'True');
  return refusal?.message ? `${missing}, for one can't be made: ${refusal.message}` : missing;
}

function rolledOut(wanted: number, updated: number, available: number): string | undefined {
  const ready = Math.min(updated, available);
  return ready < wanted ? `${ready} of ${wanted} pods ready` : undefined;
}

function missingOfJob({ status }: Job): string | undefined {
  const condition = (type: string) =>
    status?.conditions?.find((entry) => entry.type === type && entry.status === 'True');
  if (condition('Complete')) return undefined;
  const failed = condition('Failed');
  return failed ? `the job failed: ${failed.message ?? 'no reason given'}` : 'the job still runs';
}

/** Whether every container of the pod is ready. */
export function isReady(pod: Pod): boolean {
  return pod.status.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') ?? false;
}

/**
 * Whether the pod is ready and not on its way out: such a one still answers while it drains, but it is of before, and gone at any
 * moment, also from Prometheus.
 */
export function isStaying(pod: Pod): boolean {
  return isReady(pod) && pod.metadata.deletionTimestamp === undefined;
}

/** The image that the workload's own container runs: the one of its name, or else the first. */
export function containerImage({ containers }: PodSpec, workload: string): string | undefined {
  return (containers.find(({ name }) => name === workload) ?? containers[0])?.image;
}

/**
 * What a workload runs at this moment.
 * @returns the image of its newest template, unless only pods of an earlier one are ready; and how many pods still terminate.
 * These may be ready to their end, but run the image of before.
 */
export function rolloutState({ metadata, spec }: Workload, pods: readonly Pod[]) {
  const newest = containerImage(spec.template.spec, metadata.name);
  const images = pods.filter(isStaying).map((pod) => containerImage(pod.spec, metadata.name));
  return {
    image: images.length === 0 || images.includes(newest) ? newest : images[0],
    terminating: pods.filter((pod) => pod.metadata.deletionTimestamp !== undefined).length,
  };
}

/**
 * @returns what tells the objects of a service: they have its name, or with `fullnameOverride` the label that says whose they
 * are; of a namespace, if one is given.
 */
export function isOfService(service: string, namespace?: string): (object: KubeObject) => boolean {
  return ({ metadata }) =>
    (metadata.name === service || metadata.labels?.['app.kubernetes.io/name'] === service) &&
    (namespace === undefined || metadata.namespace === namespace);
}

/** Whether the pod's labels satisfy the selector. An empty selector selects nothing here. */
export function selects(selector: Record<string, string> | undefined, metadata: Metadata): boolean {
  const wanted = Object.entries(selector ?? {});
  return wanted.length > 0 && wanted.every(([key, value]) => metadata.labels?.[key] === value);
}

/** The same objects, of which the Deployments have another pod template: `edit` is given a copy of it. */
export function withTemplates<T>(objects: readonly KubeObject[], edit: (template: T) => void): KubeObject[] {
  return objects.map((object) => {
    if (object.kind !== 'Deployment') return object;
    const copy = structuredClone(object);
    edit((copy.spec as { template: T }).template);
    return copy;
  });
}
