import { availableParallelism } from 'node:os';
import { demandDocker, ensureImage, hasImage, isFull, makeRoom, pullHint, pulling, registryOf } from './lib/docker.ts';
import { messageOf, UserError } from './lib/errors.ts';
import { CommandError, type Exec } from './lib/exec.ts';
import { atMost } from './lib/limit.ts';
import type { Trace } from './lib/trace.ts';
import { WaitTimeout, waitUntil } from './lib/wait.ts';

/** The images of the cluster's node, and the ways of getting more into it. Works as soon as the node's containerd runs. */
export interface ImageStore {
  /** Makes sure that Docker on this machine has the image. Throws a `UserError` naming image, registry and reason. */
  pull(image: string): Promise<void>;
  /** Makes sure that the node has the images. Hands back those that it did not have. Throws a `UserError` naming the image. */
  ensure(images: readonly string[]): Promise<string[]>;
  /** Every name under which the node has an image, with the image's digest. */
  inNode(): Promise<Map<string, string>>;
  /** Copies images that Docker has into the node under other names: target name to source name. */
  importAs(names: ReadonlyMap<string, string>): Promise<void>;
}

const containerd = ['ctr', '--namespace=k8s.io', 'images'];
/** Docker streams all images in one archive, in which layers that they share occur once. */
const pipeline =
  'set -o pipefail; node=$1; shift; docker save "$@" | docker exec -i "$node" ctr --namespace=k8s.io images import -';
/** Milliseconds that the list of the node's images may be old. */
const freshness = 2000;
/** One processor is left to the control plane, which boots at the same time: on two, pulling three at once cost more than it gained. */
const pullsAtOnce = Math.max(1, Math.min(4, availableParallelism() - 1));

export interface ImageStoreOptions {
  /** Told of each image that Docker did not have before. */
  onPulled?: (image: string) => Promise<void>;
  /** Told why a pull is tried again. */
  onRetry?: ((why: string) => void) | undefined;
  /** Keeps book of what is pulled and copied. */
  trace?: Trace | undefined;
  /** Milliseconds to wait for the node's containerd. Default: five minutes. */
  timeout?: number;
}

/** A pull that broke off in the middle; one that was refused would be refused again. */
const cut = /unexpected EOF|connection reset|broken pipe|TLS handshake timeout|i\/o timeout|\bstatus\b.*\b5\d\d\b/i;

export function createImageStore(
  exec: Exec,
  node: string,
  signal: AbortSignal,
  { onPulled, onRetry, trace, timeout = 300_000 }: ImageStoreOptions = {},
): ImageStore {
  const kept = <T>(what: string, work: () => Promise<T>) => (trace ? trace.during('image', what, work) : work());
  const hostPulls = new Map<string, Promise<void>>();
  const nodePulls = new Map<string, Promise<boolean>>();
  const inTurn = atMost(pullsAtOnce);
  /** Asked by several components at the same time, answered once. */
  let listing: { at: number; names: Promise<Map<string, string>> } | undefined;

  const inNode = () => {
    if (listing === undefined || Date.now() - listing.at > freshness) {
      listing = { at: Date.now(), names: list() };
      listing.names.catch(() => {
        listing = undefined;
      });
    }
    return listing.names;
  };
  const list = async () => {
    const { stdout } = await exec(['docker', 'exec', node, ...containerd, 'list'], { timeout: 60_000 });
    const rows = stdout.split('\n').slice(1);
    return new Map(
      rows
        .map((row) => row.split(/\s+/))
        .flatMap(([name, , digest]) => (name && digest ? [[name, digest] as const] : [])),
    );
  };
  let running: Promise<void> | undefined;
  const containerdRuns = () => {
    running ??= untilContainerdRuns(exec, node, signal, timeout);
    running.catch(() => {
      running = undefined;
    });
    return running;
  };
  const importIntoNode = async (images: readonly string[]) => {
    try {
      await exec(['bash', '-c', pipeline, 'import', node, ...images]);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      const { stderr } = error.output;
      demandDocker(stderr);
      const reason = stderr.trim().split('\n').at(-1) || messageOf(error);
      throw new UserError(`The images ${images.join(', ')} could not be copied into the node ${node}: ${reason}`, {
        hint: isFull(stderr) ? makeRoom : `docker logs ${node} may tell why; npm run up tries again.`,
        cause: error,
      });
    }
  };
  /** The node pulls by itself, as it would for a pod; what it can't get, Docker on this machine may still have. */
  const pullIntoNode = async (image: string): Promise<boolean> => {
    if ((await inNode()).has(fullName(image))) return false;
    const pull = [...containerd, 'pull', '--hosts-dir', '/etc/containerd/certs.d', fullName(image)];
    const attempt = () => pulling(image, () => exec(['docker', 'exec', node, ...pull], { nothrow: true }));
    let pulled = await attempt();
    if (pulled.exitCode !== 0 && cut.test(pulled.stderr)) {
      onRetry?.(notPulled(image, pulled.stderr).message);
      // What came already is kept.
      pulled = await attempt();
    }
    if (pulled.exitCode !== 0) {
      demandDocker(pulled.stderr);
      if (!(await hasImage(exec, image))) throw notPulled(image, pulled.stderr);
      await importIntoNode([image]);
    }
    listing = undefined;
    return true;
  };

  return {
    pull: (image) =>
      shared(hostPulls, image, async () => {
        const pulled = await kept(`${image} (Docker)`, () => ensureImage(exec, image));
        if (pulled) await onPulled?.(image);
      }),
    inNode,
    async ensure(images) {
      if (images.length === 0) return [];
      await containerdRuns();
      const fetched = await Promise.all(
        images.map((image) => shared(nodePulls, image, () => inTurn(() => kept(image, () => pullIntoNode(image))))),
      );
      return images.filter((_, index) => fetched[index]);
    },
    async importAs(names) {
      await containerdRuns();
      const sources = [...new Set(names.values())];
      await kept(`${sources.join(', ')} (copied)`, () => importIntoNode(sources));
      for (const [target, source] of names) {
        await exec(['docker', 'exec', node, ...containerd, 'tag', '--force', fullName(source), fullName(target)]);
      }
      listing = undefined;
    },
  };
}

/** One attempt for all who ask at the same time; a failed one is forgotten, so that the next one tries anew. */
function shared<T>(attempts: Map<string, Promise<T>>, key: string, attempt: () => Promise<T>): Promise<T> {
  const known = attempts.get(key);
  if (known) return known;
  const made = attempt();
  made.catch(() => attempts.delete(key));
  attempts.set(key, made);
  return made;
}

/** While kind creates the cluster, containerd is there within seconds, long before Kubernetes is. */
async function untilContainerdRuns(exec: Exec, node: string, signal: AbortSignal, timeout: number): Promise<void> {
  const asked = async () => {
    const { exitCode, stderr } = await exec(['docker', 'exec', node, 'ctr', 'version'], { nothrow: true });
    demandDocker(stderr);
    return exitCode === 0 ? undefined : `containerd does not run in the node container ${node}`;
  };
  try {
    await waitUntil(asked, { timeout, signal, every: 1000 });
  } catch (error) {
    if (error instanceof WaitTimeout) throw new UserError(`${error.missing}.`, { hint: `docker logs ${node}` });
    throw error;
  }
}

function notPulled(image: string, stderr: string): UserError {
  const registry = registryOf(image);
  // containerd's last line carries the reason, behind the reference that is named already.
  const reason = (stderr.trim().split('\n').at(-1) ?? '')
    .replace(/^ctr: /, '')
    .replace(/failed to resolve reference "[^"]*": /, '');
  return new UserError(
    `The image ${image} could not be pulled from ${registry}: ${reason.replace(/\.$/, '').slice(0, 300) || 'no reason given'}.`,
    { hint: pullHint(image, reason) },
  );
}

/** containerd's way of writing a name: Docker Hub's host and its `library/` are spelled out. */
export function fullName(image: string): string {
  const [first = ''] = image.split('/');
  if (!image.includes('/')) return `docker.io/library/${image}`;
  return /[.:]|^localhost$/.test(first) ? image : `docker.io/${image}`;
}
