import type { ApplyResult, Component, Status } from '../cluster/component.ts';
import { wasApplied } from '../cluster/ownership.ts';
import type { Context } from '../images/context.ts';
import { pullSecret } from '../images/credentials/credentials.ts';
import { ghcrHost } from '../images/credentials/token-check.ts';
import { buildStubs, ensureStubs, removeStubs, stubsAmong } from '../images/stubs.ts';
import { identityOf } from '../kubernetes/objects.ts';
import { fullImageName } from '../lib/docker/images.ts';
import { servicesNamespace } from '../repository/applications.ts';
import { imagesAtHead } from '../repository/committed-values.ts';
import {
  applyPullSecret,
  canPull,
  hasForeignPullSecret,
  missingPullAccess,
  pullSecretContent,
  removePullSecret,
  restartPodsOf,
  retryPulls,
  retryPullsOfPresent,
  theirSecret,
  warning,
  whyTheirsFails,
} from './pull-secret.ts';

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
    if (context.target !== undefined) return existingClusterStatus(context);
    if (await hasForeignPullSecret(context)) {
      const standIns = await stubsAmong(context, (await imagesAtHead(context)).values());
      return { state: 'ready', detail: theirDetail(standIns) };
    }
    const [account, images] = await Promise.all([context.credentials.account(), imagesAtHead(context)]);
    if (account) {
      const missing = await missingPullAccess(context, account);
      if (missing !== undefined) return { state: 'absent', missing };
      const [standIn] = await stubsAmong(context, images.values());
      return standIn === undefined
        ? { state: 'ready', detail: `from ${ghcrHost}, as ${account.username}` }
        : { state: 'unready', missing: `the node has a stand-in for ${standIn}, in spite of the token` };
    }
    if ((await pullSecretContent(context)) !== undefined)
      return { state: 'unready', missing: 'the cluster has a pull secret, but there is no token any more' };
    const present = await context.images.inNode();
    const [missing] = [...images.values()].filter((image) => !present.has(fullImageName(image)));
    return missing === undefined
      ? { state: 'ready', detail: await standInDetail(context, images) }
      : { state: 'absent', missing: `the node has no image ${missing}, nor a stand-in for it` };
  },

  async apply(context) {
    if (context.target !== undefined) return applyToExistingCluster(context);
    const [account, images] = await Promise.all([context.credentials.account(), imagesAtHead(context)]);
    if (await hasForeignPullSecret(context)) return useTheirs(context, images);
    if (!account) {
      const changed = await putStandIns(context, images);
      return { changed, detail: await standInDetail(context, images) };
    }
    const changed = [
      ...(await applyPullSecret(context, account)),
      ...(await replaceStandIns(context, images)),
      ...(await retryPulls(context)),
    ];
    return { changed, detail: `from ${ghcrHost}, as ${account.username}` };
  },

  /** The pull secret. What the node has by now stays in it: the images are a cache, and the next `up` is quicker by them. */
  remove: removePullSecret,

  async owns() {
    const name = identityOf(pullSecret(servicesNamespace));
    return (object) => identityOf(object) === name && wasApplied(object);
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

/** With a secret that is not ours, real images come if it reads them. If not, stand-ins do where the node has nothing. */
async function useTheirs(context: Context, images: ReadonlyMap<string, string>): Promise<ApplyResult> {
  const why = await whyTheirsFails(context);
  const built = why === undefined ? [] : await ensureStubs(context, images);
  const changed = [
    ...(why === undefined ? await replaceStandIns(context, images) : built.map((image) => `stand-in for ${image}`)),
    ...(why === undefined || built.length > 0 ? await retryPulls(context) : []),
  ];
  const detail = theirDetail(await stubsAmong(context, images.values()));
  return { changed, detail, notes: why === undefined ? [] : [warning(why)] };
}

function theirDetail({ size }: ReadonlySet<string>): string {
  return size === 0 ? theirSecret : `${theirSecret}; ${size} stand-ins`;
}

async function standInDetail(context: Context, images: ReadonlyMap<string, string>): Promise<string> {
  const standIns = await stubsAmong(context, images.values());
  return standIns.size === 0
    ? 'all in the node'
    : `${standIns.size === images.size ? 'all' : standIns.size} stand-ins, not the real services (no token)`;
}

/**
 * Puts stand-ins where the node has nothing. A pull secret says that what it has was pulled with a token that is gone
 * by now: then the real ones are replaced as well. It goes last, so that an interrupted change is taken up again.
 */
async function putStandIns(context: Context, images: ReadonlyMap<string, string>): Promise<string[]> {
  const replaceReal = (await pullSecretContent(context)) !== undefined;
  const built = await ensureStubs(context, images, { replaceReal });
  const told = built.map((image) => `stand-in for ${image}`);
  if (!replaceReal) return built.length > 0 ? [...told, ...(await retryPulls(context))] : told;
  return [...told, ...(await restartPodsOf(context, new Set(images.values()))), ...(await removePullSecret(context))];
}

/** The node keeps an image that it has, so stand-ins have to go first, and then the pods that run them. */
async function replaceStandIns(context: Context, images: ReadonlyMap<string, string>): Promise<string[]> {
  const standIns = await stubsAmong(context, images.values());
  if (standIns.size === 0) return [];
  await removeStubs(context, standIns);
  const restarted = await restartPodsOf(context, standIns);
  return [...[...standIns].map((image) => `stand-in for ${image} (removed)`), ...restarted];
}

/** Where the services' images come from on a cluster whose nodes are not on this machine: through a pull secret, or without. */
async function existingClusterStatus(context: Context): Promise<Status> {
  if (await hasForeignPullSecret(context)) return { state: 'ready', detail: theirSecret };
  const account = await context.credentials.account();
  if (!account) {
    return (await pullSecretContent(context)) === undefined
      ? { state: 'ready', detail: noTokenDetail }
      : { state: 'unready', missing: 'the cluster has a pull secret, but there is no token any more' };
  }
  const missing = await missingPullAccess(context, account);
  return missing === undefined
    ? { state: 'ready', detail: `from ${ghcrHost}, as ${account.username}` }
    : { state: 'absent', missing };
}

/** Gives the cluster the account's pull secret, or takes it away where there is no account any more. */
async function applyToExistingCluster(context: Context): Promise<ApplyResult> {
  if (await hasForeignPullSecret(context)) {
    const why = await whyTheirsFails(context);
    return { changed: [], detail: theirSecret, notes: why === undefined ? [] : [warning(why)] };
  }
  const account = await context.credentials.account();
  if (!account) return { changed: await removePullSecret(context), detail: noTokenDetail };
  const changed = [...(await applyPullSecret(context, account)), ...(await retryPulls(context))];
  return { changed, detail: `from ${ghcrHost}, as ${account.username}` };
}

const noTokenDetail = 'pulled by the nodes without a token';
