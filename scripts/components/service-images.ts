import type { ApplyResult, Component, Status } from '../cluster/component.ts';
import { wasApplied } from '../cluster/ownership.ts';
import type { Context } from '../images/context.ts';
import { type Account, pullSecretName } from '../images/credentials/credentials.ts';
import { ghcrHost } from '../images/credentials/token-check.ts';
import { buildStubs, ensureStubs, removeStubs, stubsAmong } from '../images/stubs.ts';
import { fullImageName } from '../lib/docker/images.ts';
import { imagesAtHead } from '../repository/committed-values.ts';
import { ensureNamespaces, isServiceNamespace } from './namespaces.ts';
import {
  applyPullSecret,
  canPull,
  hasForeignPullSecret,
  hasPullSecret,
  missingPullAccess,
  removePullSecret,
  restartPodsOf,
  retryPulls,
  retryPullsOfPresent,
  theirSecret,
  warning,
  whyTheirsFails,
} from './pull-secret.ts';
import { removeObjects } from './removal.ts';

/**
 * Where the services' images come from: with an account, from GHCR through a pull secret; without one, stand-ins that
 * are built here and put into the node under the images' names. The nodes of a cluster elsewhere pull what they may.
 */
export const serviceImages: Component = {
  name: 'service-images',
  needs: ['cluster'],
  async prefetch(context) {
    if (context.target !== undefined || (await context.credentials.account())) return;
    // Built, but not put into the node yet: that would take the disk from the control plane, which boots at the same time.
    await buildStubs(context, await imagesAtHead(context));
  },

  async status(context): Promise<Status> {
    const images = await imagesAtHead(context);
    const stubs = await stubsAmong(context, images.values());
    if (await hasForeignPullSecret(context)) return { state: 'ready', detail: theirDetail(stubs) };
    const account = await context.credentials.account();
    if (account) {
      const missing = await missingPullAccess(context, account);
      if (missing !== undefined) return { state: 'absent', missing };
      const [stub] = stubs;
      return stub === undefined
        ? { state: 'ready', detail: accountDetail(account) }
        : { state: 'unready', missing: `the node has a stand-in for ${stub}, in spite of the token` };
    }
    if (await hasPullSecret(context))
      return { state: 'unready', missing: 'the cluster has a pull secret, but there is no token any more' };
    if (context.target !== undefined) return { state: 'ready', detail: noTokenDetail };
    const present = await context.images.inNode();
    const missing = [...images.values()].find((image) => !present.has(fullImageName(image)));
    return missing === undefined
      ? { state: 'ready', detail: await stubDetail(context, images) }
      : { state: 'absent', missing: `the node has no image ${missing}, nor a stand-in for it` };
  },

  async apply(context) {
    const images = await imagesAtHead(context);
    const namespaces = await ensureNamespaces(context);
    const { changed, ...told } = await bringAccess(context, images);
    return { changed: [...namespaces, ...changed], ...told };
  },

  /**
   * The pull secrets, also those in namespaces that no service is in any more, and the namespaces that were made for the services.
   * What the node has by now stays in it: the images are a cache, and the next `up` is quicker by them.
   */
  async remove(context, objects) {
    return [...(await removePullSecret(context)), ...(await removeObjects(context, objects))];
  },

  async owns() {
    return (object) =>
      isServiceNamespace(object) ||
      (object.kind === 'Secret' && object.metadata.name === pullSecretName && wasApplied(object));
  },
};

/**
 * Sees to it that the pods of the checked-out commit find their images: where no token pulls them, a stand-in is put into
 * the node for each that it lacks, and pods that waited for it are recreated. Costs next to nothing where all are there.
 */
export async function coverImages(context: Context): Promise<string[]> {
  if (context.target !== undefined) return [];
  const images = await imagesAtHead(context);
  if (await canPull(context)) return [];
  const present = await context.images.inNode();
  if ([...images.values()].every((image) => present.has(fullImageName(image)))) return [];
  return (await serviceImages.apply(context)).changed;
}

/** The same for pods that wait already, of a commit that Argo CD was quicker to see, whether the image came just now or before. */
export async function bringImages(context: Context): Promise<string[]> {
  return [...(await coverImages(context)), ...(await retryPullsOfPresent(context))];
}

/** Has the images come from GHCR or from stubs, in the namespaces that there are now. */
async function bringAccess(context: Context, images: ReadonlyMap<string, string>): Promise<ApplyResult> {
  const account = await context.credentials.account();
  const given = account ? await applyPullSecret(context, account) : [];
  if (await hasForeignPullSecret(context)) return useTheirs(context, images, given);
  if (account) {
    const changed = [...given, ...(await replaceStubs(context, images)), ...(await retryPulls(context))];
    return { changed, detail: accountDetail(account) };
  }
  if (context.target !== undefined) return { changed: await removePullSecret(context), detail: noTokenDetail };
  return { changed: await putStubs(context, images), detail: await stubDetail(context, images) };
}

/** With a secret that is not ours, real images come if it reads them. If not, stubs do where the node has nothing. */
async function useTheirs(
  context: Context,
  images: ReadonlyMap<string, string>,
  done: readonly string[],
): Promise<ApplyResult> {
  const why = await whyTheirsFails(context);
  const notes = why === undefined ? [] : [await warning(context, why)];
  if (context.target !== undefined) return { changed: [...done], detail: theirSecret, notes };
  const built = why === undefined ? [] : await ensureStubs(context, images);
  const changed = [
    ...done,
    ...(why === undefined ? await replaceStubs(context, images) : built.map(stubFor)),
    ...(why === undefined || built.length > 0 ? await retryPulls(context) : []),
  ];
  return { changed, detail: theirDetail(await stubsAmong(context, images.values())), notes };
}

function stubFor(image: string): string {
  return `stand-in for ${image}`;
}

function theirDetail({ size }: ReadonlySet<string>): string {
  return size === 0 ? theirSecret : `${theirSecret}; ${size} stand-ins`;
}

function accountDetail({ username }: Account): string {
  return `from ${ghcrHost}, as ${username}`;
}

/** On a cluster whose nodes are not on this machine. */
const noTokenDetail = 'pulled by the nodes without a token';

async function stubDetail(context: Context, images: ReadonlyMap<string, string>): Promise<string> {
  const { size } = await stubsAmong(context, images.values());
  return size === 0
    ? 'all in the node'
    : `${size === images.size ? 'all' : size} stand-ins, not the real services (no token)`;
}

/**
 * Puts stubs where the node has nothing. A pull secret says that what it has was pulled with a token that is gone by now:
 * then the real ones are replaced as well. It is removed last, so that an interrupted change is taken up again.
 */
async function putStubs(context: Context, images: ReadonlyMap<string, string>): Promise<string[]> {
  const replaceReal = await hasPullSecret(context);
  const built = (await ensureStubs(context, images, { replaceReal })).map(stubFor);
  if (!replaceReal) return built.length > 0 ? [...built, ...(await retryPulls(context))] : built;
  return [...built, ...(await restartPodsOf(context, new Set(images.values()))), ...(await removePullSecret(context))];
}

/** The node keeps an image that it has, so stubs have to be removed first, and then the pods that run them. */
async function replaceStubs(context: Context, images: ReadonlyMap<string, string>): Promise<string[]> {
  const stubs = await stubsAmong(context, images.values());
  if (stubs.size === 0) return [];
  await removeStubs(context, stubs);
  const restarted = await restartPodsOf(context, stubs);
  return [...[...stubs].map((image) => `${stubFor(image)} (removed)`), ...restarted];
}
