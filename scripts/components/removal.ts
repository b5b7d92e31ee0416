import { wasApplied } from '../cluster/ownership.ts';
import { territoryOf } from '../cluster/territory.ts';
import type { Context } from '../images/context.ts';
import { identityOf, type KubeObject, nameOf } from '../kubernetes/objects.ts';
import { toleratingOutages } from '../kubernetes/waiting/api-server.ts';
import {
  deletionHint,
  deletionObstacles,
  runningObjectsOf,
  shortenGracePeriods,
  shortGracePeriod,
  startDeleting,
} from '../kubernetes/waiting/deletion.ts';
import { UserError } from '../lib/errors.ts';
import { WaitTimeout, waitUntil } from '../lib/retry.ts';

/**
 * Deletes those of the objects that the cluster has, but none that are among `kept`, and waits until they and their pods
 * are gone. In a cluster that others use as well, none goes that is not the platform's, whatever its name is. Hands back their names. Pods get a second to end, since nobody waits for their answers any more. Throws a
 * `UserError` for what does not go away, with what holds it.
 */
export async function removeObjects(
  context: Context,
  objects: readonly KubeObject[],
  kept: readonly KubeObject[] = [],
): Promise<string[]> {
  const keptNames = new Set(kept.map(identityOf));
  const present = await inCluster(
    context,
    objects.filter((object) => !keptNames.has(identityOf(object))),
  );
  const doomed = context.target === undefined ? present : await ownAmong(context, present);
  if (doomed.length === 0) return [];
  const inOrder = doomed.toReversed().toSorted((one, other) => rank(one) - rank(other));
  const running = await runningObjectsOf(context, inOrder);
  // Each after its owner, which would make it anew; Kubernetes would come to them by itself, but later.
  const all = [...withoutContents(inOrder), ...running.replicaSets, ...running.pods];
  await startDeleting(context, all, shortGracePeriod);
  await untilRemoved(context, inOrder, (left) => shortenGracePeriods(context, left, running));
  context.view().forget();
  return inOrder.map((object) => `${nameOf(object)} (removed)`);
}

/** The same for objects that are known by their names alone: what somebody else made under such a name stays. */
export async function removeOwn(
  context: Context,
  objects: readonly KubeObject[],
  kept: readonly KubeObject[] = [],
): Promise<string[]> {
  return removeObjects(context, await ownAmong(context, await inCluster(context, objects)), kept);
}

async function ownAmong(context: Context, objects: readonly KubeObject[]): Promise<KubeObject[]> {
  if (objects.length === 0) return [];
  const { owns } = await territoryOf(context);
  return objects.filter(owns);
}

/**
 * Waits until none of the objects is there, which have to be as the cluster had them, with their uid. `also` is called
 * at each look with those that are left, and says what else is to be waited for. Throws a `UserError` that names what
 * holds them.
 */
export async function untilRemoved(
  context: Context,
  objects: readonly KubeObject[],
  also: (left: readonly KubeObject[]) => Promise<string | undefined>,
): Promise<void> {
  let left = [...objects];
  const look = async () => {
    left = await stillThere(context, left);
    const besides = await also(left);
    const [first] = left;
    return first === undefined ? besides : `${nameOf(first)} is still there`;
  };
  try {
    await waitUntil(toleratingOutages(context, look), { timeout: context.timeout, signal: context.signal, every: 300 });
  } catch (error) {
    if (!(error instanceof WaitTimeout)) throw error;
    const reasons = await deletionObstacles(context, left);
    throw new UserError([`${error.missing} after ${context.timeout / 1000} s.`, ...reasons].join('\n  '), {
      hint: deletionHint,
    });
  }
}

/** Those of the objects that the cluster has, as it has them. Asks once for each kind. */
export async function inCluster(context: Context, objects: readonly KubeObject[]): Promise<KubeObject[]> {
  const known = new Map((await listKindsOf(context, objects)).map((object) => [identityOf(object), object]));
  const names = new Set(objects.map(identityOf));
  return [...names].flatMap((name) => known.get(name) ?? []);
}

/** Whether the cluster has something under this object's name that `up` did not apply. */
export async function isTheirs(context: Context, object: KubeObject): Promise<boolean> {
  const [present] = await inCluster(context, [object]);
  return present !== undefined && !wasApplied(present);
}

/** Those that are there, and are not others of the same name that somebody made since. */
async function stillThere(context: Context, objects: readonly KubeObject[]): Promise<KubeObject[]> {
  const present = await listKindsOf(context, objects);
  const known = new Map(present.map((object) => [object.metadata.uid, object]));
  return objects.flatMap((object) => known.get(object.metadata.uid) ?? []);
}

async function listKindsOf(context: Context, objects: readonly KubeObject[]): Promise<KubeObject[]> {
  const kinds = new Map(objects.map((object) => [`${object.apiVersion} ${object.kind}`, object]));
  const lists = await Promise.all(
    [...kinds.values()].map(async ({ apiVersion, kind, resource }) => {
      const plural = typeof resource === 'string' ? resource : undefined;
      const found = await context.api().listMetadata(apiVersion, kind, plural);
      return found.map((object) => ({ ...object, ...(plural !== undefined && { resource: plural }) }));
    }),
  );
  return lists.flat();
}

/**
 * When an object goes. A webhook or an API that nobody answers for any more refuses what it was to judge, and keeps
 * namespaces from being emptied, and so does a kind that vanishes meanwhile. Namespaces are next, because Kubernetes waits five seconds before it empties one.
 */
function rank({ kind }: KubeObject): number {
  if (kind.endsWith('WebhookConfiguration') || kind === 'APIService' || kind === 'CustomResourceDefinition') return 0;
  return kind === 'Namespace' ? 1 : 2;
}

/** Leaves out what goes with its namespace or its definition. */
function withoutContents(objects: readonly KubeObject[]): KubeObject[] {
  const namesOf = (wanted: string) =>
    new Set(objects.filter(({ kind }) => kind === wanted).map(({ metadata }) => metadata.name));
  const namespaces = namesOf('Namespace');
  const definitions = namesOf('CustomResourceDefinition');
  return objects.filter(
    ({ apiVersion, metadata, resource }) =>
      !namespaces.has(metadata.namespace ?? '') && !definitions.has(`${resource}.${apiVersion.split('/')[0]}`),
  );
}
