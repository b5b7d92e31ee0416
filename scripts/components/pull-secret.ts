import { applicationNames, appliedFields, isTracked, wasApplied } from '../cluster/ownership.ts';
import type { Context } from '../images/context.ts';
import {
  type Account,
  defaultAccount,
  dockerConfig,
  passwordIn,
  pullSecret,
  pullSecretName,
} from '../images/credentials/credentials.ts';
import { jsonIfThere, listIn } from '../kubernetes/api/api.ts';
import { isPullFailure } from '../kubernetes/explain/pod-problem.ts';
import { type KubeObject, nameOf, objectPath } from '../kubernetes/objects.ts';
import { readSecret } from '../kubernetes/secret.ts';
import type { Pod } from '../kubernetes/types.ts';
import { runningObjectsOf } from '../kubernetes/waiting/deletion.ts';
import { fullImageName } from '../lib/docker/images.ts';
import { serviceNamespaces } from './namespaces.ts';
import { inCluster } from './removal.ts';

const titleIn = (namespace: string) => nameOf(pullSecret(namespace));

/** What is said of a pull secret that the platform did not create. */
export const theirSecret = `with Secret ${pullSecretName}, which the platform did not create`;

/** The namespaces of the services in which somebody else made a pull secret. */
async function foreignNamespaces(context: Context): Promise<string[]> {
  const wanted = (await serviceNamespaces(context)).map((namespace) => pullSecret(namespace));
  const foreign = (await inCluster(context, wanted)).filter((secret) => !wasApplied(secret));
  return foreign.flatMap(({ metadata }) => metadata.namespace ?? []);
}

/** The namespaces of the services that get the platform's own pull secret. */
async function ownNamespaces(context: Context): Promise<string[]> {
  const [all, foreign] = await Promise.all([serviceNamespaces(context), foreignNamespaces(context)]);
  return all.filter((namespace) => !foreign.includes(namespace));
}

/**
 * Whether the cluster has a pull secret that the platform did not create: the platform's manual has people make one of
 * that name. It is used, and left alone.
 */
export async function hasForeignPullSecret(context: Context): Promise<boolean> {
  return (await foreignNamespaces(context)).length > 0;
}

/**
 * Asks GHCR whether a pull secret that the platform did not create reads the services' images.
 * @returns Why it can't, as a sentence, or undefined where it can or GHCR does not answer.
 */
export async function whyTheirsFails(context: Context): Promise<string | undefined> {
  const [namespace = ''] = await foreignNamespaces(context);
  const password = passwordIn((await contentIn(context, namespace)) ?? '');
  if (password === undefined) return `${titleIn(namespace)} has no login for GHCR.`;
  const verdict = await context.credentials.check(password);
  return verdict.state === 'refused' ? verdict.message : undefined;
}

/**
 * Whether the cluster has a pull secret that reads the images, as far as is known. Without one, the node needs stand-ins.
 * GHCR is asked about a secret that the platform did not create.
 */
export async function canPull(context: Context): Promise<boolean> {
  if (!(await hasPullSecret(context))) return false;
  return !(await hasForeignPullSecret(context)) || (await whyTheirsFails(context)) === undefined;
}

/** What to tell about a pull secret that the platform did not create and that can't pull. */
export async function warning(context: Context, why: string): Promise<string> {
  const [namespace = ''] = await foreignNamespaces(context);
  const command = `kubectl delete secret ${pullSecretName} --namespace ${namespace}`;
  return `${titleIn(namespace)} can't pull the services' images: ${why} The platform did not create it and keeps it. To use a token of the platform instead: ${command}, then npm run up.`;
}

/** What is between this account and the cluster's pods, as a sentence, or undefined. */
export async function missingPullAccess(context: Context, account: Account): Promise<string | undefined> {
  for (const namespace of await ownNamespaces(context)) {
    const content = await contentIn(context, namespace);
    if (content === undefined) return `${titleIn(namespace)} is missing`;
    if (content !== dockerConfig(account)) return `${titleIn(namespace)} holds another token`;
  }
  return undefined;
}

/** Whether the cluster has a pull secret for the services, made by the platform or not. */
export async function hasPullSecret(context: Context): Promise<boolean> {
  const contents = (await serviceNamespaces(context)).map((namespace) => contentIn(context, namespace));
  return (await Promise.all(contents)).some((content) => content !== undefined);
}

/** What the pull secret of a namespace holds, or undefined where there is none. */
async function contentIn(context: Context, namespace: string): Promise<string | undefined> {
  const data = await readSecret(context, { namespace, name: pullSecretName });
  return data && (data['.dockerconfigjson'] ?? '');
}

/**
 * Lets the pods pull, or pull with another token than before, where nobody else made a pull secret. The secret goes to kubectl on standard input, and a
 * server-side apply leaves no copy of it in an annotation.
 */
export async function applyPullSecret(context: Context, account: Account): Promise<string[]> {
  const namespaces = await ownNamespaces(context);
  if (namespaces.length === 0) return [];
  const kubectl = await context.kubectl();
  const objects = namespaces.map(async (namespace) => [
    pullSecret(namespace, account),
    ...(await serviceAccountWith(context, namespace, [pullSecretName])),
  ]);
  return kubectl.apply((await Promise.all(objects)).flat());
}

/**
 * The pods name the secret by themselves. Where others have pods in that namespace, or gave its ServiceAccount pull
 * secrets of their own, that is left as it is: the list is atomic, so applying ours would replace theirs.
 */
async function serviceAccountWith(
  context: Context,
  namespace: string,
  secrets: readonly string[],
): Promise<KubeObject[]> {
  if (context.target !== undefined) return [];
  const wanted = defaultAccount(namespace, secrets);
  const present = await jsonIfThere<KubeObject & { imagePullSecrets?: object[] }>(context.api(), objectPath(wanted));
  const isOthers = present?.imagePullSecrets?.length && !appliedFields(present).has('f:imagePullSecrets');
  return isOthers ? [] : [wanted];
}

/** Takes the secret out of the cluster, in the namespaces of the services. Returns what it did. */
export async function removePullSecret(context: Context): Promise<string[]> {
  const removed: string[] = [];
  for (const namespace of await ownNamespaces(context)) {
    if ((await contentIn(context, namespace)) === undefined) continue;
    const kubectl = await context.kubectl();
    await kubectl.apply(await serviceAccountWith(context, namespace, []));
    await kubectl.run(['delete', 'secret', pullSecretName, '--namespace', namespace, '--ignore-not-found']);
    removed.push(`${titleIn(namespace)} (removed)`);
  }
  return removed;
}

/** The kubelet waits longer after each failure, up to five minutes: a new pod is pulled for at once. */
export async function retryPulls(context: Context): Promise<string[]> {
  return deletePods(context, (pod) => imagesWaitedFor(pod).length > 0);
}

/** When it was first seen that the node has an image for which a pod waits, in milliseconds since 1970, by its full name. */
const cameAt = new WeakMap<Context, Map<string, number>>();

/**
 * Recreates the pods that wait for an image which came after the kubelet had looked for it: it waits longer after each
 * failure, and a new pod finds the image at once. One that was made after that, and waits all the same, is left as it is.
 * @returns what it did, a sentence each.
 */
export async function retryPullsOfPresent(context: Context): Promise<string[]> {
  // What the nodes of a cluster elsewhere have is not known.
  if (context.target !== undefined) return [];
  // Another process may have put it there.
  context.images.forget();
  const present = await context.images.inNode();
  const seen = cameAt.get(context) ?? new Map<string, number>();
  cameAt.set(context, seen);
  return deletePods(context, (pod) => {
    const names = imagesWaitedFor(pod).map(fullImageName);
    if (names.length === 0 || !names.every((name) => present.has(name))) return false;
    for (const name of names) if (!seen.has(name)) seen.set(name, Date.now());
    const made = Date.parse(pod.metadata.creationTimestamp ?? '');
    return names.some((name) => made <= (seen.get(name) ?? 0));
  });
}

/** The images that containers of the pod wait for after a pull that failed. */
function imagesWaitedFor({ spec, status }: Pod): string[] {
  const statuses = [...(status.containerStatuses ?? []), ...(status.initContainerStatuses ?? [])];
  const waiting = new Set(statuses.filter(({ state }) => isPullFailure(state.waiting?.reason)).map(({ name }) => name));
  return [...spec.containers, ...(spec.initContainers ?? [])].flatMap(({ name, image }) =>
    waiting.has(name) ? [image] : [],
  );
}

/** Deletes pods that run one of the images, so that new ones take what the node has under these names now. */
export async function restartPodsOf(context: Context, images: ReadonlySet<string>): Promise<string[]> {
  return deletePods(context, ({ spec }) => spec.containers.some(({ image }) => images.has(image)));
}

/** Deletes pods of what the platform deployed. A pod that somebody started in that namespace is not touched. */
async function deletePods(context: Context, wanted: (pod: Pod) => boolean): Promise<string[]> {
  const namespaces = await serviceNamespaces(context);
  const candidates = (await listIn<Pod>(context.api(), 'v1', 'Pod', namespaces)).filter(
    (pod) => pod.metadata.deletionTimestamp === undefined && wanted(pod),
  );
  const pods = await deployedPods(context, candidates);
  if (pods.length === 0) return [];
  const kubectl = await context.kubectl();
  for (const namespace of namespaces) {
    const names = pods.filter(({ metadata }) => metadata.namespace === namespace).map(({ metadata }) => metadata.name);
    const where = ['--namespace', namespace, '--wait=false', '--ignore-not-found'];
    if (names.length > 0) await kubectl.run(['delete', 'pods', ...where, ...names]);
  }
  return pods.map((pod) => `${nameOf({ ...pod, kind: 'Pod' })} (made anew)`);
}

const deployingKinds = [
  ['apps/v1', 'Deployment'],
  ['apps/v1', 'StatefulSet'],
  ['apps/v1', 'DaemonSet'],
  ['batch/v1', 'Job'],
] as const;

/**
 * Tells the pods that an Application of the platform brought from those that somebody started in the same namespace.
 * @returns Those of the pods that run for a workload which carries the tracking ID of one of the platform's Applications.
 */
export async function deployedPods<T extends KubeObject>(context: Context, pods: readonly T[]): Promise<T[]> {
  if (pods.length === 0) return [];
  const [names, ...lists] = await Promise.all([
    applicationNames(context),
    ...deployingKinds.map(([apiVersion, kind]) => context.api().listMetadata(apiVersion, kind)),
  ]);
  const running = await runningObjectsOf(
    context,
    lists.flat().filter((workload) => isTracked(workload, names)),
  );
  const uids = new Set(running.pods.map(({ metadata }) => metadata.uid));
  return pods.filter(({ metadata }) => uids.has(metadata.uid));
}
