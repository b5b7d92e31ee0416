import type { Context } from '../context.ts';
import { type KubeObject, nameOf } from '../objects.ts';
import { workloadKinds } from '../workloads.ts';
import { startDeleting } from './deletion.ts';

/** What runs on behalf of objects: pods, and the ReplicaSets between a Deployment and its pods, in the order to delete them. */
export interface Running {
  replicaSets: readonly KubeObject[];
  pods: readonly KubeObject[];
  /** The uids of the workloads and of their ReplicaSets, also of those that are seen later. */
  owners: Set<string>;
}

/** Seconds that a pod gets to end which nobody needs any more: not 0, which forgets it before its ports are free. */
const grace = 1;
/** For kubectl: what is no pod takes no notice of it. */
export const quickly = `--grace-period=${grace}`;

/** What the workloads among the objects run, and what runs in the namespaces among them. */
export async function runningFor(context: Context, objects: readonly KubeObject[]): Promise<Running> {
  const namespaces = namespacesAmong(objects);
  const workloads = objects.filter(({ kind }) => workloadKinds.has(kind) || kind === 'Pod');
  const owners = new Set(workloads.flatMap(({ metadata }) => metadata.uid ?? []));
  const { replicaSets, pods } = await ownedBy(context, owners, namespaces);
  return { replicaSets: replicaSets.filter(({ metadata }) => !namespaces.has(metadata.namespace ?? '')), pods, owners };
}

/**
 * What the owners run, and all pods of the namespaces. The ReplicaSets become owners, too: whose own owner is gone may still
 * have made a pod since the last look.
 */
async function ownedBy(
  context: Context,
  owners: Set<string>,
  namespaces: ReadonlySet<string>,
): Promise<{ replicaSets: KubeObject[]; pods: KubeObject[] }> {
  if (owners.size === 0 && namespaces.size === 0) return { replicaSets: [], pods: [] };
  const [pods, replicaSets] = await Promise.all([
    context.api().listMetadata('v1', 'Pod'),
    context.api().listMetadata('apps/v1', 'ReplicaSet'),
  ]);
  const isOwned = ({ metadata }: KubeObject) => metadata.ownerReferences?.some(({ uid }) => owners.has(uid)) === true;
  const between = replicaSets.filter(isOwned);
  for (const { metadata } of between) owners.add(metadata.uid ?? '');
  return {
    replicaSets: between,
    pods: pods.filter((pod) => isOwned(pod) || namespaces.has(pod.metadata.namespace ?? '')),
  };
}

/**
 * Shortens the time that pods take to end: those of the owners, once they are on their way out, and all in a namespace that is.
 *
 * @returns that there are such pods, naming one; undefined once there are none.
 */
export async function hasten(
  context: Context,
  objects: readonly KubeObject[],
  running: Running,
): Promise<string | undefined> {
  const namespaces = namespacesAmong(objects);
  const { pods } = await ownedBy(context, running.owners, namespaces);
  const slow = pods.filter(({ metadata }) =>
    metadata.deletionTimestamp === undefined
      ? namespaces.has(metadata.namespace ?? '')
      : (metadata.deletionGracePeriodSeconds ?? grace) > grace,
  );
  await startDeleting(context, slow, quickly);
  const [first, ...others] = pods;
  const more = others.length === 0 ? '' : ` and ${others.length} more`;
  return first && `${nameOf(first)}${more} still ${others.length === 0 ? 'terminates' : 'terminate'}`;
}

/** The namespaces among the objects, once they take no new pods any more. */
function namespacesAmong(objects: readonly KubeObject[]): ReadonlySet<string> {
  return new Set(objects.filter(({ kind }) => kind === 'Namespace').map(({ metadata }) => metadata.name));
}
