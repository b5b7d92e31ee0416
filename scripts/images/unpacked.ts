import { createHash } from 'node:crypto';
import { open, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandError, type Exec } from '../lib/exec.ts';
import { writeWhole } from '../lib/files.ts';
import { archivesIn, listFolder, markUsed, overLimit, sizeOf, writeArchive } from './cache.ts';

/** Where a node's systemd looks for additions to containerd's unit, besides those that the node image brings. */
export const unpackedMount = '/usr/local/lib/systemd/system/containerd.service.d';
/** To be run in a node that was offered images: waits until it has them, and says how that stands. */
export const awaitUnpacked = ['bash', `${unpackedMount}/restore.sh`, 'await'] as const;

/** The images of a whole node as its containerd has them, so that the next node starts with them, and unpacks nothing. */
export type UnpackedImages = ReturnType<typeof createUnpackedImages>;

interface UnpackedImagesOptions {
  exec: Exec;
  /** Where they are kept: a folder for each node image. */
  folder: string;
  /** Where the packed ones are kept, which come first. */
  packed: string;
  /** Bytes that all of it may take; with 0 nothing is kept or offered. */
  limit: number;
  /** Where the scripts are that run in the node. */
  scripts: string;
}

/** How copy.sh ends where there is no room, and where the node's containerd keeps layers in another way. */
const skippedExitCodes: ReadonlySet<number> = new Set([3, 4]);
const inNode = 'umask 077; file=$1; node=$2; shift 2; exec docker exec -i "$node" bash -s -- "$@" > "$file"';

/** What is kept in a folder, which need not exist. */
export function createUnpackedImages({ exec, folder, packed, limit, scripts }: UnpackedImagesOptions) {
  const folderOf = async (nodeImage: string) => {
    const asked = await exec(['docker', 'image', 'inspect', '--format', '{{.Id}}', nodeImage], { timeout: 30_000 });
    const id = asked.stdout.trim().replace(/^sha256:/, '');
    return join(folder, id.slice(0, 16));
  };

  return {
    /**
     * Prepares the folder that a new node of this node image is to see at `unpackedMount`. Undefined where nothing is kept
     * for it.
     */
    async offer(nodeImage: string): Promise<string | undefined> {
      if (limit === 0) return undefined;
      const its = await folderOf(nodeImage);
      const [archive] = await tarsIn(its);
      if (archive === undefined) return undefined;
      await markUsed(its, archive);
      writeWhole(join(its, 'restore.sh'), await readFile(join(scripts, 'restore.sh')));
      // Of several additions the last in the order of their names has the last word.
      writeWhole(join(its, 'zz-platform-ops.conf'), await readFile(join(scripts, 'restore.conf')));
      return its;
    },

    /**
     * Keeps the node's images with these digests, by name, for the next node of that node image, unless just these are kept.
     * Returns the bytes that were written, 0 where nothing had to be, where there is no room, or where Docker lost its end.
     * Throws `CommandError`.
     */
    async keep(node: string, nodeImage: string, images: ReadonlyMap<string, string>): Promise<number> {
      if (limit === 0) return 0;
      const its = await folderOf(nodeImage);
      const script = await readFile(join(scripts, 'copy.sh'), 'utf8');
      const name = `images-${fingerprint(images, script)}.tar`;
      const known = await tarsIn(its);
      if (known.includes(name)) return 0;
      const room = limit - sizeOf(await archivesIn(packed));
      const given = [String(Math.max(room, 0)), ...new Set(images.values())];
      try {
        const bytes = await writeArchive(its, name, async (part) => {
          await exec(['sh', '-c', inNode, 'copy', part, node, ...given], { input: script });
          const whole = await isWhole(part);
          if (whole) for (const old of known) await rm(join(its, old), { force: true });
          return whole;
        });
        if (bytes > 0) await keepWithin(room, folder);
        return bytes;
      } catch (error) {
        if (error instanceof CommandError && skippedExitCodes.has(error.output.exitCode)) return 0;
        throw error;
      }
    },

    /** Throws away what is kept for nodes of that image. */
    discard: async (nodeImage: string) => empty(await folderOf(nodeImage)),
  };
}

/** The folder itself stays: nodes that were started with it look for it at each start. */
async function empty(folder: string): Promise<void> {
  for (const file of await tarsIn(folder)) await rm(join(folder, file), { force: true });
}

/** Whether an archive has the two empty blocks at its end: `docker exec` may lose the end of what it puts out (moby issue 45689). */
async function isWhole(file: string): Promise<boolean> {
  const opened = await open(file);
  try {
    const { size } = await opened.stat();
    const { buffer, bytesRead } = await opened.read({ buffer: Buffer.alloc(1024), position: Math.max(size - 1024, 0) });
    return bytesRead === 1024 && buffer.every((byte) => byte === 0);
  } finally {
    await opened.close();
  }
}

async function tarsIn(folder: string): Promise<string[]> {
  return (await listFolder(folder)).filter((file) => /^images-[0-9a-f]+\.tar$/.test(file));
}

/**
 * The same for the same images, in whatever order they are, written by the same script. Kubernetes adds a name to each image
 * that it uses: its checksum.
 */
function fingerprint(images: ReadonlyMap<string, string>, script: string): string {
  const given = [...images].filter(([name]) => !name.startsWith('sha256:'));
  const lines = given.map(([name, digest]) => `${name} ${digest}\n`).toSorted();
  return createHash('sha256')
    .update(lines.join('') + script)
    .digest('hex')
    .slice(0, 16);
}

/** Takes away those of the longest unused node images, until the rest has room. */
async function keepWithin(room: number, folder: string): Promise<void> {
  const found = (await listFolder(folder)).map(async (id) => {
    const tars = (await tarsIn(join(folder, id))).map((file) => stat(join(folder, id, file)));
    return (await Promise.all(tars)).map(({ size, mtimeMs }) => ({ id, bytes: size, usedAt: mtimeMs }));
  });
  for (const { id } of overLimit((await Promise.all(found)).flat(), room)) await empty(join(folder, id));
}
