import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { standInBase } from '../config/versions.ts';
import { demandDocker, hasImage, isFull, makeRoom } from '../lib/docker/docker.ts';
import { messageOf, UserError } from '../lib/errors.ts';
import { atMost } from '../lib/limit.ts';
import type { Context } from './context.ts';
import { fullName } from './store.ts';

const folder = 'standins';
const sources = ['Dockerfile', 'metrics.mjs', 'server.mjs'];
/** Stand-ins bear this name on this machine; only inside the cluster's node they also bear the names of the real images. */
const ownName = 'platform-ops/stand-in';

/** How many are built at once: of a hundred at the same time, none would be done before its time is over. */
const atOnce = 4;

/** Builds all stand-ins, some side by side; those that Docker has already cost nothing. */
export async function buildStandIns(context: Context, images: ReadonlyMap<string, string>): Promise<void> {
  const inTurn = atMost(atOnce);
  await Promise.all(
    [...images].map(async ([service, image]) => {
      const name = await standInName(context, service, image);
      await inTurn(() => build(context, name, service, image));
    }),
  );
}

/**
 * Builds stand-ins for images (service to image, as `ghcr.io/zainasr/api-node:1df3b1f`) and puts them into the node
 * under those names. Hands back the images for which it had to. What the node has under a name already, real or
 * stand-in of today's sources, stays, unless the real ones are to be replaced.
 */
export async function ensureStandIns(
  context: Context,
  images: ReadonlyMap<string, string>,
  { replaceReal = false } = {},
): Promise<string[]> {
  const present = await context.images.inNode();
  const names = await Promise.all(
    [...images].map(async ([service, image]) => [service, image, await standInName(context, service, image)] as const),
  );
  const wanted = names.filter(([, image, standIn]) => {
    const digest = present.get(fullName(image));
    if (digest === undefined) return true;
    return isStandIn(present, digest) ? present.get(fullName(standIn)) !== digest : replaceReal;
  });
  if (wanted.length === 0) return [];
  await buildStandIns(context, new Map(wanted.map(([service, image]) => [service, image])));
  await context.images.importAs(new Map(wanted.map(([, image, standIn]) => [image, standIn])));
  return wanted.map(([, image]) => image);
}

/** Which of the images that the node has are stand-ins. */
export async function standInsAmong(context: Context, images: Iterable<string>): Promise<Set<string>> {
  const present = await context.images.inNode();
  return new Set(
    [...images].filter((image) => {
      const digest = present.get(fullName(image));
      return digest !== undefined && isStandIn(present, digest);
    }),
  );
}

/** Takes stand-ins out of the node under every name, so that the real images are pulled. */
export async function removeStandIns(context: Context, images: ReadonlySet<string>): Promise<void> {
  const present = await context.images.inNode();
  const digests = new Set([...images].map((image) => present.get(fullName(image))));
  const names = [...present].filter(([, digest]) => digests.has(digest)).map(([name]) => name);
  if (names.length === 0) return;
  await context.exec(['docker', 'exec', context.node, 'ctr', '--namespace=k8s.io', 'images', 'remove', ...names]);
  context.images.forget();
}

function isStandIn(present: ReadonlyMap<string, string>, digest: string): boolean {
  return [...present].some(([name, other]) => other === digest && name.startsWith(`docker.io/${ownName}-`));
}

/** The name tells service, tag and sources: a change of any of them is another image. */
async function standInName(context: Context, service: string, image: string): Promise<string> {
  const texts = await Promise.all(sources.map((file) => readFile(join(context.config.root, folder, file))));
  const hash = createHash('sha256');
  for (const text of texts) hash.update(text);
  hash.update(image);
  return `${ownName}-${service}:${tagOf(image)}-${hash.digest('hex').slice(0, 8)}`;
}

async function build(context: Context, name: string, service: string, image: string): Promise<void> {
  const { exec, config } = context;
  if (await hasImage(exec, name)) return;
  await context.images.pull(standInBase);
  const args = ['--build-arg', `SERVICE=${service}`, '--build-arg', `APP_VERSION=${tagOf(image)}`];
  try {
    await exec(['docker', 'build', '--quiet', '--tag', name, ...args, join(config.root, folder)]);
  } catch (error) {
    if (context.signal.aborted) throw error;
    demandDocker(messageOf(error));
    throw new UserError(`The stand-in for ${image} could not be built: ${messageOf(error)}`, {
      hint: isFull(messageOf(error)) ? makeRoom : `docker build ${folder} shows the whole output.`,
      cause: error,
    });
  }
}

function tagOf(image: string): string {
  return image.slice(image.lastIndexOf(':') + 1);
}
