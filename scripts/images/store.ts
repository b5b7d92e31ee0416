import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import {
  assertDockerResponds,
  ensureImage,
  fullImageName,
  hasImage,
  pullError,
  withPullTimeout,
} from '../lib/docker/images.ts';
import type { UserError } from '../lib/errors.ts';
import type { Exec } from '../lib/exec.ts';
import { limitConcurrency, shared } from '../lib/tasks.ts';
import type { Trace } from '../lib/trace.ts';
import type { ImageCache, KeptImages } from './cache.ts';
import { nodeImages } from './containerd.ts';

/** The images of the cluster's node, and the ways of getting more into it. Works as soon as the node's containerd runs. */
export type ImageStore = ReturnType<typeof createImageStore>;

/** Milliseconds that the list of the node's images may be old. What comes or goes by way of us is known at once. */
const freshnessMs = 10_000;
/** One processor is left to the control plane, which boots at the same time: on two, pulling three at once cost more than it gained. */
const pullsAtOnce = Math.max(1, Math.min(4, availableParallelism() - 1));

interface ImageStoreOptions {
  /** Told of each image that Docker did not have before. */
  onPulled?: (image: string) => Promise<void>;
  /** Told why a pull is tried again. */
  onRetry?: ((why: string) => void) | undefined;
  /** Records what is pulled and copied. */
  trace?: Trace | undefined;
  /** What earlier clusters had. */
  cache?: ImageCache | undefined;
  /** Milliseconds to wait for the node's containerd. Default: five minutes. */
  timeout?: number;
  /** Whether the images are only to be held, and not to be run there. */
  onlyHold?: boolean;
  /** What the container needs to reach registries. */
  variables?: () => Readonly<Record<string, string>>;
}

/** A pull that broke off in the middle; one that was refused would be refused again. */
const interruptedPull =
  /unexpected EOF|connection reset|broken pipe|TLS handshake timeout|i\/o timeout|\bstatus\b.*\b5\d\d\b/i;

export function createImageStore(
  exec: Exec,
  container: string,
  signal: AbortSignal,
  {
    onPulled,
    onRetry,
    trace,
    cache,
    timeout = 300_000,
    onlyHold = false,
    variables = () => ({}),
  }: ImageStoreOptions = {},
) {
  const node = nodeImages(exec, container, signal, { timeout, onlyHold, variables });
  const traced = <T>(what: string, work: () => Promise<T>) => (trace ? trace.during('image', what, work) : work());
  const hostPulls = new Map<string, Promise<void>>();
  const nodePulls = new Map<string, Promise<boolean>>();
  const running = new Map<string, Promise<void>>();
  const inTurn = limitConcurrency(pullsAtOnce);
  const imported = new Set<string>();
  const wanted = () => new Set([...nodePulls.keys()].map(fullImageName));
  /** What the node had when it was looked at first. */
  let atFirst: ReadonlyMap<string, string> | undefined;
  /** Asked by several components at the same time, answered once. */
  let listing: { at: number; names: Promise<Map<string, string>> } | undefined;

  const look = async () => {
    const names = await node.list();
    atFirst ??= names;
    return names;
  };
  const forget = () => {
    listing = undefined;
  };
  const inNode = () => {
    if (listing === undefined || Date.now() - listing.at > freshnessMs) {
      listing = { at: Date.now(), names: look() };
      listing.names.catch(forget);
    }
    return listing.names;
  };
  // A list of its images says so as well, and is needed next.
  const containerdRuns = () =>
    shared(running, container, () =>
      inNode().then(
        () => {},
        () => node.waitForContainerd(),
      ),
    );
  /** The node pulls by itself, as it would for a pod; what it can't get, Docker on this machine may still have. */
  const pullIntoNode = async (image: string): Promise<void> => {
    const attempt = () => withPullTimeout(image, () => node.pull(image));
    let pulled = await attempt();
    if (pulled.exitCode !== 0 && interruptedPull.test(pulled.stderr)) {
      onRetry?.(notPulled(image, pulled.stderr).message);
      // What came already is kept.
      pulled = await attempt();
    }
    if (pulled.exitCode === 0) return;
    assertDockerResponds(pulled.stderr);
    if (!(await hasImage(exec, image))) throw notPulled(image, pulled.stderr);
    await node.importFromDocker([image]);
  };
  const getIntoNode = async (image: string): Promise<boolean> => {
    const name = fullImageName(image);
    if ((await inNode()).has(name)) return false;
    // What is only to be kept, and is kept already, need not come here.
    if (onlyHold && (await cache?.has(name))) return false;
    const restored = cache && (await traced(`${image} (from the cache)`, () => cache.restore(node, name)));
    if (!restored) await traced(image, () => pullIntoNode(image));
    forget();
    return true;
  };

  return {
    /** Makes sure that Docker on this machine has the image. Throws a `UserError` naming image, registry and reason. */
    pull: (image: string): Promise<void> =>
      shared(hostPulls, image, async () => {
        const pulled = await traced(`${image} (Docker)`, () => ensureImage(exec, image));
        if (pulled) await onPulled?.(image);
      }),
    /** Every name under which the node has an image, with the image's digest. */
    inNode,
    /** Forget which these are: somebody else put images into the node, or took them out. */
    forget,
    /** Makes sure that the node has the images. Returns those that it did not have. Throws a `UserError` naming the image. */
    async ensure(images: readonly string[]): Promise<string[]> {
      if (images.length === 0) return [];
      await containerdRuns();
      const fetched = await Promise.all(
        images.map((image) => shared(nodePulls, image, () => inTurn(() => getIntoNode(image)))),
      );
      return images.filter((_, index) => fetched[index]);
    },
    /** Copies images that Docker has into the node under other names: target name to source name. */
    async importAs(names: ReadonlyMap<string, string>): Promise<void> {
      await containerdRuns();
      const sources = [...new Set(names.values())];
      await traced(`${sources.join(', ')} (copied)`, () => node.importFromDocker(sources));
      for (const [target, source] of names) await node.tag(source, target);
      for (const name of [...names.keys(), ...sources]) imported.add(fullImageName(name));
      forget();
    },
    /**
     * Keeps what was asked of `ensure` for the next cluster. Returns what was written, and what of it all is not kept now.
     * Throws where a file can't be written.
     */
    async keep(): Promise<KeptImages & { missing: string[] }> {
      const names = wanted();
      if (!cache || names.size === 0) return { images: [], bytes: 0, missing: [...names] };
      // However old it is: each image that came since then made it again.
      const present = await (listing?.names ?? inNode());
      const kept = await cache.keep(node, new Map([...present].filter(([name]) => names.has(name))));
      const inCache = await Promise.all([...names].map(cache.has));
      return { ...kept, missing: [...names].filter((_, index) => !inCache[index]) };
    },
    /**
     * What the node has of what it came with, of `ensure` and of `importAs`, name by digest: nothing that somebody put there
     * or that the cluster pulled with a token. Right only in the process that created the cluster.
     */
    async ofPlatform(): Promise<Map<string, string>> {
      const present = await inNode();
      const asked = wanted();
      const ours = ([name, digest]: [string, string]) =>
        asked.has(name) || imported.has(name) || atFirst?.get(name) === digest;
      return new Map([...present].filter(ours));
    },
  };
}

function notPulled(image: string, stderr: string): UserError {
  // containerd's last line carries the reason, behind the reference that is named already.
  const reason = (stderr.trim().split('\n').at(-1) ?? '')
    .replace(/^ctr: /, '')
    .replace(/failed to resolve reference "[^"]*": /, '');
  return pullError(image, reason);
}

/**
 * The images of nodes that are not on this machine: they pull what they need by themselves, and nobody here can look at what
 * they have, add to it, or keep it.
 */
export const unmanagedImages: ImageStore = {
  pull: notManaged,
  ensure: async () => [],
  inNode: async () => new Map(),
  importAs: notManaged,
  keep: async () => ({ images: [], bytes: 0, missing: [] }),
  ofPlatform: async () => new Map(),
  forget: () => {},
};

async function notManaged(): Promise<never> {
  throw new Error('no image can be put into a node that is not on this machine');
}

/** Which images Docker did not have before we asked for them: those are ours to remove. A line each. */
function fileIn(cacheDir: string): string {
  return join(cacheDir, 'pulled-images');
}

export async function notePulled(cacheDir: string, image: string): Promise<void> {
  await mkdir(cacheDir, { recursive: true });
  await appendFile(fileIn(cacheDir), `${image}\n`);
}

export async function pulledImages(cacheDir: string): Promise<string[]> {
  const text = await readFile(fileIn(cacheDir), 'utf8').catch(() => '');
  return [...new Set(text.split('\n').filter(Boolean))];
}
