import { UserError } from '../../lib/errors.ts';
import { CommandError } from '../../lib/exec.ts';
import { withoutAnswer } from '../api/api.ts';
import type { ClusterContext } from '../context.ts';
import { type KubeObject, nameOf, toYaml } from '../objects.ts';
import type { Namespace } from '../types.ts';
import { workloadKinds } from '../workloads.ts';

/** What to do where something does not go away. */
export const deletionHint = 'npm run reset continues where it stopped; npm run down deletes the cluster as it is.';

/** Has kubectl delete the objects, and doesn't wait for them to be gone. Throws a `UserError` with its reason. */
export async function startDeleting(
  context: ClusterContext,
  objects: readonly KubeObject[],
  ...options: string[]
): Promise<void> {
  if (objects.length === 0) return;
  const kubectl = await context.kubectl();
  // Deleting an object takes no more than what names it.
  const named = objects.map(({ apiVersion, kind, metadata: { name, namespace } }) => ({
    apiVersion,
    kind,
    metadata: { name, ...(namespace !== undefined && { namespace }) },
  }));
  try {
    await kubectl.run(['delete', '--ignore-not-found', '--wait=false', ...options, '-f', '-'], {
      input: toYaml(named),
    });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new UserError(`Could not be removed: ${error.output.stderr.trim().split('\n').at(-1)}`, {
      id: 'not-removed',
      hint: deletionHint,
      cause: error,
    });
  }
}

/** What runs on behalf of objects: pods, and the ReplicaSets between a Deployment and its pods, in the order to delete them. */
interface RunningObjects {
  replicaSets: readonly KubeObject[];
  pods: readonly KubeObject[];
  /** The uids of the workloads and of their ReplicaSets, also of those that are seen later. */
  owners: Set<string>;
}

/** Seconds that a pod gets to end which nothing needs any more: not 0, which forgets it before its ports are free. */
const graceSeconds = 1;
/** For kubectl: what is no pod takes no notice of it. */
export const shortGracePeriod = `--grace-period=${graceSeconds}`;

/** What the workloads among the objects run, and what runs in the namespaces among them. */
export async function runningObjectsOf(
  context: ClusterContext,
  objects: readonly KubeObject[],
): Promise<RunningObjects> {
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
async function ownedBy(context: ClusterContext, owners: Set<string>, namespaces: ReadonlySet<string>) {
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
export async function shortenGracePeriods(
  context: ClusterContext,
  objects: readonly KubeObject[],
  running: RunningObjects,
): Promise<string | undefined> {
  const namespaces = namespacesAmong(objects);
  const { pods } = await ownedBy(context, running.owners, namespaces);
  const slow = pods.filter(({ metadata }) =>
    metadata.deletionTimestamp === undefined
      ? namespaces.has(metadata.namespace ?? '')
      : (metadata.deletionGracePeriodSeconds ?? graceSeconds) > graceSeconds,
  );
  await startDeleting(context, slow, shortGracePeriod);
  const [first, ...others] = pods;
  const more = others.length === 0 ? '' : ` and ${others.length} more`;
  return first && `${nameOf(first)}${more} still ${others.length === 0 ? 'terminates' : 'terminate'}`;
}

/** The names of the namespaces among the objects. */
function namespacesAmong(objects: readonly KubeObject[]): ReadonlySet<string> {
  return new Set(objects.filter(({ kind }) => kind === 'Namespace').map(({ metadata }) => metadata.name));
}

/** No more than these are told: one obstacle often holds many. */
const maxObstacles = 5;

/** What holds objects that were deleted and are still there, a sentence each. Never throws for what can't be told. */
export async function deletionObstacles(context: ClusterContext, objects: readonly KubeObject[]): Promise<string[]> {
  const namespaces = await context.api().list<Namespace>('v1', 'Namespace').catch(withoutAnswer<Namespace[]>([]));
  const leaving = namespacesAmong(objects);
  // What waits for its namespace to be emptied is no reason why that isn't.
  const telling = objects.filter(
    ({ metadata }) => metadata.finalizers?.length || !leaving.has(metadata.namespace ?? ''),
  );
  return telling.slice(0, maxObstacles).map((object) => {
    const { kind, metadata } = object;
    if (metadata.deletionTimestamp === undefined) return `${nameOf(object)} was not deleted, or was recreated.`;
    // The API server says it of a namespace in a few sentences, each of which names kinds and finalizers.
    const namespace = namespaces.find((one) => kind === 'Namespace' && one.metadata.name === metadata.name);
    const conditions = namespace?.status?.conditions?.filter(({ status, message }) => status === 'True' && message);
    if (conditions?.length) return `${nameOf(object)}: ${conditions.map(({ message }) => message).join('; ')}`;
    if (metadata.finalizers?.length)
      return `${nameOf(object)} is held by the finalizer ${metadata.finalizers.join(', ')}.`;
    return `${nameOf(object)} is still being deleted.`;
  });
}
