import { ensureImage } from './lib/docker.ts';
import type { Exec } from './lib/exec.ts';

/** The images of the cluster's node, and the way of getting more into it: through Docker on this machine, which keeps them. */
export interface ImageStore {
  /** Starts pulling, so that it happens while the cluster boots. What fails, fails when it is asked for. */
  prefetch(images: readonly string[]): void;
  /** Makes sure that Docker on this machine has the image. Throws a `UserError` naming image, registry and reason. */
  pull(image: string): Promise<void>;
  /** Makes sure that the node has the images. Hands back those that it did not have. Throws a `UserError` naming the image. */
  ensure(images: readonly string[]): Promise<string[]>;
  /** Every name under which the node has an image, with the image's digest. */
  inNode(): Promise<Map<string, string>>;
  /** Copies images that Docker has under other names, too: target name to source name. */
  importAs(names: ReadonlyMap<string, string>): Promise<void>;
}

const containerd = ['ctr', '--namespace=k8s.io', 'images'];
/** Docker streams all images in one archive, in which layers that they share occur once. */
const pipeline =
  'set -o pipefail; node=$1; shift; docker save "$@" | docker exec -i "$node" ctr --namespace=k8s.io images import -';

/** Milliseconds that the list of the node's images may be old. */
const freshness = 2000;

export function createImageStore(exec: Exec, node: string): ImageStore {
  const pulls = new Map<string, Promise<void>>();
  let queue: Promise<unknown> = Promise.resolve();

  const pull = (image: string) => {
    const known = pulls.get(image);
    if (known) return known;
    const pulling = ensureImage(exec, image);
    // Whoever needs the image is told; until then nobody listens.
    pulling.catch(() => pulls.delete(image));
    pulls.set(image, pulling);
    return pulling;
  };
  /** One import at a time: the node has one disk, and two components may wait for the same image. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = queue.then(work, work);
    queue = turn.catch(() => {});
    return turn;
  };
  /** Asked by several components at the same time, answered once; forgotten after an import, and soon anyway: the kubelet pulls, too. */
  let listing: { at: number; names: Promise<Map<string, string>> } | undefined;
  const inNode = () => {
    if (listing === undefined || Date.now() - listing.at > freshness) listing = { at: Date.now(), names: list() };
    return listing.names;
  };
  const list = async () => {
    const { stdout } = await exec(['docker', 'exec', node, ...containerd, 'list'], { timeout: 60_000 });
    const rows = stdout
      .split('\n')
      .slice(1)
      .map((line) => line.split(/\s+/));
    return new Map(rows.flatMap(([name, , digest]) => (name && digest ? [[name, digest] as const] : [])));
  };

  return {
    prefetch(images) {
      for (const image of images) pull(image).catch(() => {});
    },
    pull,
    inNode,
    async ensure(images) {
      const present = await inNode();
      const wanted = images.filter((image) => !present.has(fullName(image)));
      await Promise.all(wanted.map(pull));
      if (wanted.length === 0) return [];
      return inTurn(async () => {
        listing = undefined;
        const now = await inNode();
        const missing = wanted.filter((image) => !now.has(fullName(image)));
        if (missing.length > 0) await exec(['bash', '-c', pipeline, 'import', node, ...missing]);
        listing = undefined;
        return missing;
      });
    },
    async importAs(names) {
      await inTurn(async () => {
        const sources = [...new Set(names.values())];
        await exec(['bash', '-c', pipeline, 'import', node, ...sources]);
        for (const [target, source] of names) {
          await exec(['docker', 'exec', node, ...containerd, 'tag', '--force', fullName(source), fullName(target)]);
        }
        listing = undefined;
      });
    },
  };
}

/** containerd's way of writing a name: Docker Hub's host and its `library/` are spelled out. */
export function fullName(image: string): string {
  const [first = ''] = image.split('/');
  if (!image.includes('/')) return `docker.io/library/${image}`;
  return /[.:]|^localhost$/.test(first) ? image : `docker.io/${image}`;
}
