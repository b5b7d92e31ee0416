import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stubBaseImage } from '../config/versions.ts';
import { assertDockerResponds, diskFullHint, fullImageName, hasImage } from '../lib/docker/images.ts';
import { isDiskFull, messageOf, UserError } from '../lib/errors.ts';
import { limitConcurrency } from '../lib/tasks.ts';
import { programOf } from '../repository/committed-values.ts';
import type { Context } from './context.ts';

const folder = 'standins';
const sources = ['Dockerfile', 'metrics.mjs', 'server.mjs'];
/** Stubs bear this name on this machine; only inside the cluster's node they also bear the names of the real images. */
const ownName = 'platform-ops/stand-in';

/** How many are built at once: of a hundred at the same time, none would be done before its time is over. */
const maxConcurrentBuilds = 4;

/** Builds all stubs, some side by side; those that Docker has already cost nothing. */
export async function buildStubs(context: Context, images: ReadonlyMap<string, string>): Promise<void> {
  const inTurn = limitConcurrency(maxConcurrentBuilds);
  let asked: Promise<Record<string, string>> | undefined;
  const builder = () => {
    asked ??= dockerBuilder(context);
    return asked;
  };
  await Promise.all(
    [...images.values()].map(async (image) => {
      const name = await stubName(context, image);
      await inTurn(() => build(context, { name, image, builder }));
    }),
  );
}

/**
 * Builds stubs for images (service to image, as `ghcr.io/zainasr/api-node:1df3b1f`) and puts them into the node
 * under those names. Returns the images for which it had to. What the node has under a name already, real or
 * stub of today's sources, stays, unless the real ones are to be replaced.
 */
export async function ensureStubs(
  context: Context,
  images: ReadonlyMap<string, string>,
  { replaceReal = false } = {},
): Promise<string[]> {
  const present = await context.images.inNode();
  const names = await Promise.all(
    [...images].map(async ([service, image]) => [service, image, await stubName(context, image)] as const),
  );
  const wanted = names.filter(([, image, standIn]) => {
    const digest = present.get(fullImageName(image));
    if (digest === undefined) return true;
    return isStub(present, digest) ? present.get(fullImageName(standIn)) !== digest : replaceReal;
  });
  if (wanted.length === 0) return [];
  await buildStubs(context, new Map(wanted.map(([service, image]) => [service, image])));
  await context.images.importAs(new Map(wanted.map(([, image, standIn]) => [image, standIn])));
  return wanted.map(([, image]) => image);
}

/** Which of the images that the node has are stubs. */
export async function stubsAmong(context: Context, images: Iterable<string>): Promise<Set<string>> {
  const present = await context.images.inNode();
  return new Set(
    [...images].filter((image) => {
      const digest = present.get(fullImageName(image));
      return digest !== undefined && isStub(present, digest);
    }),
  );
}

/** Takes stubs out of the node under every name, so that the real images are pulled. */
export async function removeStubs(context: Context, images: ReadonlySet<string>): Promise<void> {
  const present = await context.images.inNode();
  const digests = new Set([...images].map((image) => present.get(fullImageName(image))));
  const names = [...present].filter(([, digest]) => digests.has(digest)).map(([name]) => name);
  if (names.length === 0) return;
  await context.exec(['docker', 'exec', context.node, 'ctr', '--namespace=k8s.io', 'images', 'remove', ...names]);
  context.images.forget();
}

function isStub(present: ReadonlyMap<string, string>, digest: string): boolean {
  return [...present].some(([name, other]) => other === digest && name.startsWith(`docker.io/${ownName}-`));
}

/** The name tells program, tag and sources: a change of any of them is another image. */
async function stubName(context: Context, image: string): Promise<string> {
  const texts = await Promise.all(sources.map((file) => readFile(join(context.config.root, folder, file))));
  const hash = createHash('sha256');
  for (const text of texts) hash.update(text);
  hash.update(image);
  return `${ownName}-${programOf(image)}:${tagOf(image)}-${hash.digest('hex').slice(0, 8)}`;
}

interface Build {
  /** Of the stub. */
  name: string;
  image: string;
  /** The variables that choose who builds. */
  builder: () => Promise<Record<string, string>>;
}

async function build(context: Context, { name, image, builder }: Build): Promise<void> {
  const { exec, config } = context;
  if (await hasImage(exec, name)) return;
  await context.images.pull(stubBaseImage);
  const args = ['--build-arg', `SERVICE=${programOf(image)}`, '--build-arg', `APP_VERSION=${tagOf(image)}`];
  const env = await builder();
  try {
    await exec(['docker', 'build', '--quiet', '--tag', name, ...args, join(config.root, folder)], { env });
  } catch (error) {
    if (context.signal.aborted) throw error;
    assertDockerResponds(messageOf(error));
    throw new UserError(`The stand-in for ${image} could not be built: ${messageOf(error)}`, {
      id: 'stand-in-not-built',
      hint: isDiskFull(messageOf(error)) ? diskFullHint : `docker build ${folder} shows the whole output.`,
      cause: error,
    });
  }
}

/** Of all builders, the one named after Docker's context alone builds from the images that Docker has, and into them. */
async function dockerBuilder({ exec }: Context): Promise<Record<string, string>> {
  const name = (await exec(['docker', 'context', 'show'], { nothrow: true })).stdout.trim();
  return name === '' ? {} : { BUILDX_BUILDER: name };
}

function tagOf(image: string): string {
  return image.slice(image.lastIndexOf(':') + 1);
}
