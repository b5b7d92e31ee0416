import { wasApplied } from '../cluster/ownership.ts';
import { territoryOf } from '../cluster/territory.ts';
import type { Context } from '../images/context.ts';
import { identityOf, type KubeObject, nameOf } from '../kubernetes/objects.ts';
import type { Pod } from '../kubernetes/types.ts';
import { timeoutError, waitThroughOutages } from '../kubernetes/waiting/api-server.ts';
import {
  deletionHint,
  deletionObstacles,
  runningObjectsOf,
  shortenGracePeriods,
  shortGracePeriod,
  startDeleting,
} from '../kubernetes/waiting/deletion.ts';
import { isReady } from '../kubernetes/workloads.ts';
import { UserError } from '../lib/errors.ts';
import { applicationApi, argocdNamespace } from '../repository/applications.ts';
import { holders } from '../repository/manifests.ts';

/**
 * Deletes those of the objects that the cluster has, but none that are among `kept`, and waits until they and their pods
 * are gone. In a cluster that others use as well, only the platform's own, whatever their names are. Pods get a second to
 * end, since nobody waits for their answers any more.
 * @returns their names.
 * @throws UserError for what does not go away, with what holds it.
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
  const doomed = context.target === undefined ? present : await platformObjectsAmong(context, present);
  if (doomed.length === 0) return [];
  const inOrder = doomed.toReversed().toSorted((one, other) => rank(one) - rank(other));
  const running = await runningObjectsOf(context, inOrder);
  // Each after its owner, which would recreate it; Kubernetes would come to them by itself, but later.
  const all = [...withoutContents(inOrder), ...running.replicaSets, ...running.pods];
  await startDeleting(context, all, shortGracePeriod);
  await waitUntilRemoved(context, inOrder, (left) => shortenGracePeriods(context, left, running));
  context.view().forget();
  return inOrder.map((object) => `${nameOf(object)} (removed)`);
}

/** The same for objects that are known by their names alone: what somebody else made under such a name stays. */
export async function removeOwn(
  context: Context,
  objects: readonly KubeObject[],
  kept: readonly KubeObject[] = [],
): Promise<string[]> {
  return removeObjects(context, await platformObjectsAmong(context, await inCluster(context, objects)), kept);
}

async function platformObjectsAmong(context: Context, objects: readonly KubeObject[]): Promise<KubeObject[]> {
  if (objects.length === 0) return [];
  const { owns } = await territoryOf(context);
  return objects.filter(owns);
}

/**
 * Waits until none of the objects is there, which have to be as the cluster had them, with their uid. `also` is called
 * at each look with those that are left, and says what else is to be waited for. Throws a `UserError` that names what
 * holds them.
 */
export async function waitUntilRemoved(
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
  const missing = await waitThroughOutages(context, look, 300);
  if (missing !== undefined) throw await obstructed(context, `${missing} after ${context.timeout / 1000} s.`, left);
}

/** The error for objects that do not go away, with what holds them. */
async function obstructed(
  context: Context,
  sentence: string,
  objects: readonly KubeObject[],
  { id, hint } = { id: 'not-removed', hint: deletionHint },
): Promise<UserError> {
  return new UserError([sentence, ...(await deletionObstacles(context, objects))].join('\n  '), { id, hint });
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
  const known = new Map((await listKindsOf(context, objects)).map((object) => [object.metadata.uid, object]));
  return objects.flatMap((object) => known.get(object.metadata.uid) ?? []);
}

/** All objects of the kinds that these are of. `list` asks for those of one kind. */
async function listKindsOf(
  context: Context,
  objects: readonly KubeObject[],
  list = context.api().listMetadata,
): Promise<KubeObject[]> {
  const kinds = new Map(objects.map((object) => [`${object.apiVersion} ${object.kind}`, object]));
  const lists = await Promise.all(
    [...kinds.values()].map(async ({ apiVersion, kind, resource }) => {
      const plural = typeof resource === 'string' ? resource : undefined;
      const found = await list(apiVersion, kind, plural);
      return found.map((object) => ({ ...object, ...(plural !== undefined && { resource: plural }) }));
    }),
  );
  return lists.flat();
}

/**
 * When an object is deleted. A webhook or an API without its program refuses what it was to judge, and keeps namespaces
 * from being emptied, and so does a kind that vanishes meanwhile. Namespaces are next, because Kubernetes waits five
 * seconds before it empties one.
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

/** What Argo CD holds back by a finalizer: kind, and its name for kubectl. */
const finalizedKinds = new Map([
  ['Application', 'applications.argoproj.io'],
  ['AppProject', 'appprojects.argoproj.io'],
]);

/** What may still be there for a while after it was deleted, because a finalizer holds it until something else is gone. */
const lingering = new Set([
  ...finalizedKinds.keys(),
  ...['DaemonSet', 'Deployment', 'Job', 'PersistentVolumeClaim', 'StatefulSet'],
]);

/**
 * Waits until none of these is on its way out, as after a removal that was interrupted: what is applied into a namespace
 * or onto an object that is leaving is deleted with it. Argo CD's finalizer holds Applications; where Argo CD is gone too,
 * nothing would ever remove that, so it is removed here. The services that they made stay, and are adopted when the
 * Applications are back.
 * @throws UserError that names what does not go away.
 */
export async function waitForTermination(context: Context, objects: readonly KubeObject[]): Promise<void> {
  const wanted = [...holders(objects), ...objects.filter(({ kind }) => lingering.has(kind))];
  const names = new Set(wanted.map(identityOf));
  let last: KubeObject | undefined;
  const look = async () => {
    const present = await listKindsOf(context, wanted, context.view().listHeads);
    last = present.find((one) => one.metadata.deletionTimestamp !== undefined && names.has(identityOf(one)));
    if (!last) return undefined;
    const mayWaitForArgocd = !lingering.has(last.kind) || finalizedKinds.has(last.kind);
    if (mayWaitForArgocd && (await argocdControllerState(context)) !== 'running') await removeFinalizers(context);
    return `${nameOf(last)} is still being deleted`;
  };
  const missing = await waitThroughOutages(context, look, 1000);
  if (missing === undefined) return;
  // The API server did not answer, so it is not known what is on its way out.
  if (last === undefined || !missing.startsWith(nameOf(last))) throw await timeoutError(context, missing);
  const sentence = `${missing} after ${context.timeout / 1000} s, and nothing can be installed over it.`;
  throw await obstructed(context, sentence, [last], {
    id: 'finalizers',
    hint: 'Who set a finalizer has to remove it: have that program run, or remove the finalizer with kubectl edit, then npm run up. Or start afresh: npm run down && npm run up',
  });
}

/** Whether there is a pod of Argo CD's controller, which removes the finalizers of what it prunes. */
export async function argocdControllerState(context: Context): Promise<'running' | 'starting' | 'absent'> {
  const pods = (await context.api().list<Pod>('v1', 'Pod', argocdNamespace)).filter(
    ({ metadata }) => metadata.name.startsWith('argocd-application-controller') && !metadata.deletionTimestamp,
  );
  if (pods.length === 0) return 'absent';
  return pods.some(isReady) ? 'running' : 'starting';
}

/** Removes the finalizers of the Applications and projects that are being deleted: what these deployed stays. */
export async function removeFinalizers(context: Context): Promise<void> {
  const kubectl = await context.kubectl();
  const patch = JSON.stringify({ metadata: { finalizers: null } });
  for (const [kind, resource] of finalizedKinds) {
    const all = await context.api().listMetadata(applicationApi, kind);
    for (const { metadata } of all.filter((one) => one.metadata.deletionTimestamp && one.metadata.finalizers?.length)) {
      const namespace = metadata.namespace ?? argocdNamespace;
      // It may be gone by now, which is what is wanted.
      await kubectl.run(
        ['patch', resource, metadata.name, '--namespace', namespace, '--type=merge', '--patch', patch],
        { nothrow: true },
      );
    }
  }
}
