import type { Context } from '../context.ts';
import { type KubeObject, nameOf } from '../lib/objects.ts';
import { workloadKinds } from '../lib/workloads.ts';
import { startDeleting } from './deletion.ts';

/** What runs on behalf of objects: pods, and the ReplicaSets between a Deployment and its pods, in the order to delete them. */
export interface Running {
  replicaSets: readonly KubeObject[];
  pods: readonly KubeObject[];
}

/** Seconds that a pod gets to end which nobody needs any more: not 0, which forgets it before its ports are free. */
const grace = 1;
/** For kubectl: what is no pod takes no notice of it. */
export const quickly = `--grace-period=${grace}`;

/** What the workloads among the objects run, and what runs in the namespaces among them. */
export async function runningFor(context: Context, objects: readonly KubeObject[]): Promise<Running> {
  const namespaces = namespacesAmong(objects);
  const workloads = objects.filter(({ kind }) => workloadKinds.has(kind) || kind === 'Pod');
  if (workloads.length === 0 && namespaces.size === 0) return { replicaSets: [], pods: [] };
  const [pods, replicaSets] = await Promise.all([
    context.api().listMetadata('v1', 'Pod'),
    context.api().listMetadata('apps/v1', 'ReplicaSet'),
  ]);
  const owners = new Set(workloads.flatMap(({ metadata }) => metadata.uid ?? []));
  const isOwned = ({ metadata }: KubeObject) => metadata.ownerReferences?.some(({ uid }) => owners.has(uid)) === true;
  const between = replicaSets.filter(isOwned);
  for (const { metadata } of between) owners.add(metadata.uid ?? '');
  return {
    replicaSets: between.filter(({ metadata }) => !namespaces.has(metadata.namespace ?? '')),
    pods: pods.filter((pod) => isOwned(pod) || namespaces.has(pod.metadata.namespace ?? '')),
  };
}

/**
 * Shortens the time that pods take to end: those given, once they are on their way out, and all in a namespace that is.
 * Says that there are such pods, or hands back undefined once there are none.
 */
export async function hasten(
  context: Context,
  objects: readonly KubeObject[],
  running: Running,
): Promise<string | undefined> {
  const namespaces = namespacesAmong(objects);
  const behind = new Set(running.pods.map(({ metadata }) => metadata.uid));
  if (namespaces.size === 0 && behind.size === 0) return undefined;
  const left = (await context.api().listMetadata('v1', 'Pod')).filter(
    ({ metadata }) => behind.has(metadata.uid) || namespaces.has(metadata.namespace ?? ''),
  );
  const slow = left.filter(({ metadata }) =>
    metadata.deletionTimestamp === undefined
      ? namespaces.has(metadata.namespace ?? '')
      : (metadata.deletionGracePeriodSeconds ?? grace) > grace,
  );
  await startDeleting(context, slow, quickly);
  const [first] = left;
  return first && `${nameOf(first)} is still ending`;
}

/** The namespaces among the objects, once they take no new pods any more. */
function namespacesAmong(objects: readonly KubeObject[]): ReadonlySet<string> {
  return new Set(objects.filter(({ kind }) => kind === 'Namespace').map(({ metadata }) => metadata.name));
}
