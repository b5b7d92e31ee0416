import type { Context } from '../context.ts';
import type { Account } from '../credentials/account.ts';
import { defaultAccount, dockerConfig, pullSecret, pullSecretName } from '../credentials/pull-secret.ts';
import { fullName } from '../images/names.ts';
import { type KubeObject, nameOf } from '../lib/objects.ts';
import { isPullFailure } from '../lib/trouble.ts';
import type { Pod } from '../lib/workloads.ts';
import { servicesNamespace } from '../services.ts';
import { wasApplied } from './ownership.ts';
import { inCluster } from './removal.ts';
import { readSecret } from './secret.ts';

const name = nameOf(pullSecret(servicesNamespace));

/**
 * Whether the cluster has a pull secret that somebody else put there: production's people bring one of that name. It is
 * used, and left alone. On a cluster of kind there is nobody else.
 */
export async function pullsByItself(context: Context): Promise<boolean> {
  if (context.target === undefined) return false;
  const [secret] = await inCluster(context, [pullSecret(servicesNamespace)]);
  return secret !== undefined && !wasApplied(secret);
}

/** What is between this account and the cluster's pods, as a sentence, or undefined. */
export async function lacksAccess(context: Context, account: Account): Promise<string | undefined> {
  const content = await pullSecretContent(context);
  if (content === undefined) return `${name} is missing`;
  return content === dockerConfig(account) ? undefined : `${name} holds another token`;
}

/** What the pull secret holds in the cluster, or undefined where there is none. */
export async function pullSecretContent(context: Context): Promise<string | undefined> {
  const data = await readSecret(context, { namespace: servicesNamespace, name: pullSecretName });
  return data && (data['.dockerconfigjson'] ?? '');
}

/**
 * Lets the pods pull, or pull with another token than before. The secret goes to kubectl on standard input, and a
 * server-side apply leaves no copy of it in an annotation.
 */
export async function giveAccess(context: Context, account: Account): Promise<string[]> {
  const kubectl = await context.kubectl();
  return kubectl.apply([pullSecret(servicesNamespace, account), ...accountWith(context, [pullSecretName])]);
}

/** The pods name the secret by themselves. Where others have pods in that namespace, their ServiceAccount is left as it is. */
function accountWith({ target }: Context, secrets: readonly string[]): KubeObject[] {
  return target === undefined ? [defaultAccount(servicesNamespace, secrets)] : [];
}

/** Takes the secret out of the cluster. Hands back what it did. */
export async function takeAccess(context: Context): Promise<string[]> {
  if ((await pullSecretContent(context)) === undefined || (await pullsByItself(context))) return [];
  const kubectl = await context.kubectl();
  await kubectl.apply(accountWith(context, []));
  await kubectl.run(['delete', 'secret', pullSecretName, '--namespace', servicesNamespace, '--ignore-not-found']);
  return [`${name} (removed)`];
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
    const names = imagesWaitedFor(pod).map(fullName);
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

/** Others may have pods in that namespace, too, where the cluster is not ours alone: the charts label theirs. */
function mayBeOurs({ target }: Context, { metadata }: Pod): boolean {
  return target === undefined || metadata.labels?.['app.kubernetes.io/part-of'] === 'platform';
}

async function deletePods(context: Context, wanted: (pod: Pod) => boolean): Promise<string[]> {
  const pods = (await context.api().list<Pod>('v1', 'Pod', servicesNamespace)).filter(
    (pod) => pod.metadata.deletionTimestamp === undefined && mayBeOurs(context, pod) && wanted(pod),
  );
  if (pods.length === 0) return [];
  const kubectl = await context.kubectl();
  const names = pods.map(({ metadata }) => metadata.name);
  const where = ['--namespace', servicesNamespace, '--wait=false', '--ignore-not-found'];
  await kubectl.run(['delete', 'pods', ...where, ...names]);
  return pods.map((pod) => `${nameOf({ ...pod, kind: 'Pod' })} (made anew)`);
}
