import { applicationNames, appliedFields, isTracked } from '../cluster/ownership.ts';
import type { Context } from '../images/context.ts';
import {
  type Account,
  defaultAccount,
  dockerConfig,
  passwordIn,
  pullSecret,
  pullSecretName,
} from '../images/credentials/credentials.ts';
import { jsonIfThere } from '../kubernetes/api/api.ts';
import { isPullFailure } from '../kubernetes/explain/pod-problem.ts';
import { type KubeObject, nameOf, objectPath } from '../kubernetes/objects.ts';
import { readSecret } from '../kubernetes/secret.ts';
import type { Pod } from '../kubernetes/types.ts';
import { runningObjectsOf } from '../kubernetes/waiting/deletion.ts';
import { fullImageName } from '../lib/docker/images.ts';
import { servicesNamespace } from '../repository/applications.ts';
import { isTheirs } from './removal.ts';

const pullSecretTitle = nameOf(pullSecret(servicesNamespace));

/** What is said of a pull secret that the platform did not create. */
export const theirSecret = `with ${pullSecretTitle}, which the platform did not create`;

/**
 * Whether the cluster has a pull secret that the platform did not create: the platform's manual has people make one of
 * that name. It is used, and left alone.
 */
export async function hasForeignPullSecret(context: Context): Promise<boolean> {
  return isTheirs(context, pullSecret(servicesNamespace));
}

/**
 * Asks GHCR whether a pull secret that the platform did not create reads the services' images.
 * @returns Why it can't, as a sentence, or undefined where it can or GHCR does not answer.
 */
export async function whyTheirsFails(context: Context): Promise<string | undefined> {
  const password = passwordIn((await pullSecretContent(context)) ?? '');
  if (password === undefined) return `${pullSecretTitle} has no login for GHCR.`;
  const verdict = await context.credentials.check(password);
  return verdict.state === 'refused' ? verdict.message : undefined;
}

/**
 * Whether the cluster has a pull secret that reads the images, as far as is known. Without one, the node needs stand-ins.
 * GHCR is asked about a secret that the platform did not create.
 */
export async function canPull(context: Context): Promise<boolean> {
  if ((await pullSecretContent(context)) === undefined) return false;
  return !(await hasForeignPullSecret(context)) || (await whyTheirsFails(context)) === undefined;
}

/** What to tell about a pull secret that the platform did not create and that can't pull. */
export function warning(why: string): string {
  const command = `kubectl delete secret ${pullSecretName} --namespace ${servicesNamespace}`;
  return `${pullSecretTitle} can't pull the services' images: ${why} The platform did not create it and keeps it. To use a token of the platform instead: ${command}, then npm run up.`;
}

/** What is between this account and the cluster's pods, as a sentence, or undefined. */
export async function missingPullAccess(context: Context, account: Account): Promise<string | undefined> {
  const content = await pullSecretContent(context);
  if (content === undefined) return `${pullSecretTitle} is missing`;
  return content === dockerConfig(account) ? undefined : `${pullSecretTitle} holds another token`;
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
export async function applyPullSecret(context: Context, account: Account): Promise<string[]> {
  const kubectl = await context.kubectl();
  return kubectl.apply([
    pullSecret(servicesNamespace, account),
    ...(await serviceAccountWith(context, [pullSecretName])),
  ]);
}

/**
 * The pods name the secret by themselves. Where others have pods in that namespace, or gave its ServiceAccount pull
 * secrets of their own, that is left as it is: the list is atomic, so applying ours would replace theirs.
 */
async function serviceAccountWith(context: Context, secrets: readonly string[]): Promise<KubeObject[]> {
  if (context.target !== undefined) return [];
  const wanted = defaultAccount(servicesNamespace, secrets);
  const present = await jsonIfThere<KubeObject & { imagePullSecrets?: object[] }>(context.api(), objectPath(wanted));
  const isOthers = present?.imagePullSecrets?.length && !appliedFields(present).has('f:imagePullSecrets');
  return isOthers ? [] : [wanted];
}

/** Takes the secret out of the cluster. Returns what it did. */
export async function removePullSecret(context: Context): Promise<string[]> {
  if ((await pullSecretContent(context)) === undefined || (await hasForeignPullSecret(context))) return [];
  const kubectl = await context.kubectl();
  await kubectl.apply(await serviceAccountWith(context, []));
  await kubectl.run(['delete', 'secret', pullSecretName, '--namespace', servicesNamespace, '--ignore-not-found']);
  return [`${pullSecretTitle} (removed)`];
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
  const candidates = (await context.api().list<Pod>('v1', 'Pod', servicesNamespace)).filter(
    (pod) => pod.metadata.deletionTimestamp === undefined && wanted(pod),
  );
  const pods = await deployedPods(context, candidates);
  if (pods.length === 0) return [];
  const kubectl = await context.kubectl();
  const names = pods.map(({ metadata }) => metadata.name);
  const where = ['--namespace', servicesNamespace, '--wait=false', '--ignore-not-found'];
  await kubectl.run(['delete', 'pods', ...where, ...names]);
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
