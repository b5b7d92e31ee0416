import type { Context } from '../context.ts';
import type { Account } from '../credentials/account.ts';
import { defaultAccount, dockerConfig, pullSecret, pullSecretName } from '../credentials/pull-secret.ts';
import { nameOf } from '../lib/objects.ts';
import type { Pod } from '../lib/workloads.ts';
import { servicesNamespace } from '../services.ts';
import { readSecret } from './secret.ts';

const waitsForImage = /^(ErrImagePull|ImagePullBackOff)$/;
const name = nameOf(pullSecret(servicesNamespace));

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
  return kubectl.apply([pullSecret(servicesNamespace, account), defaultAccount(servicesNamespace, [pullSecretName])]);
}

/** Takes the secret out of the cluster. Hands back what it did. */
export async function takeAccess(context: Context): Promise<string[]> {
  if ((await pullSecretContent(context)) === undefined) return [];
  const kubectl = await context.kubectl();
  await kubectl.apply([defaultAccount(servicesNamespace, [])]);
  await kubectl.run(['delete', 'secret', pullSecretName, '--namespace', servicesNamespace, '--ignore-not-found']);
  return [`${name} (removed)`];
}

/** The kubelet waits longer after each failure, up to five minutes: a new pod is pulled for at once. */
export async function retryPulls(context: Context): Promise<string[]> {
  return deletePods(context, ({ status }) =>
    [...(status.containerStatuses ?? []), ...(status.initContainerStatuses ?? [])].some(({ state }) =>
      waitsForImage.test(state.waiting?.reason ?? ''),
    ),
  );
}

/** Deletes pods that run one of the images, so that new ones take what the node has under these names now. */
export async function restartPodsOf(context: Context, images: ReadonlySet<string>): Promise<string[]> {
  return deletePods(context, ({ spec }) => spec.containers.some(({ image }) => images.has(image)));
}

async function deletePods(context: Context, wanted: (pod: Pod) => boolean): Promise<string[]> {
  const pods = (await context.api().list<Pod>('v1', 'Pod', servicesNamespace)).filter(
    (pod) => pod.metadata.deletionTimestamp === undefined && wanted(pod),
  );
  if (pods.length === 0) return [];
  const kubectl = await context.kubectl();
  const names = pods.map(({ metadata }) => metadata.name);
  const where = ['--namespace', servicesNamespace, '--wait=false', '--ignore-not-found'];
  await kubectl.run(['delete', 'pods', ...where, ...names]);
  return pods.map((pod) => `${nameOf({ ...pod, kind: 'Pod' })} (made anew)`);
}
