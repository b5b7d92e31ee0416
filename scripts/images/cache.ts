import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { demandDocker } from '../lib/docker/docker.ts';
import { removeAbandoned } from '../lib/download/abandoned.ts';
import { CommandError } from '../lib/processes/exec.ts';
import { type Archive, archivesIn, fileNameOf, markUsed, overLimit, partOf } from './archives.ts';
import type { NodeImages } from './node.ts';

/** Images on this machine as a registry hands them out, so that a new cluster does not download them again. */
export interface ImageCache {
  /**
   * Reads an image, given by its full name, into a node. False where there is none, or none that is whole: that is thrown
   * away. Throws a `UserError` where Docker does not answer.
   */
  restore(node: NodeImages, image: string): Promise<boolean>;
  /** Whether there is an archive of an image, given by its full name. */
  has(image: string): Promise<boolean>;
  /**
   * Writes those of a node's images, digest by full name, that are not in the cache yet; then takes away what was not used
   * for the longest time, until the rest is within the limit. Throws `CommandError` where a file can't be written. An image
   * whose packed layers the node has discarded after unpacking them (`discard_unpacked_layers` of containerd's CRI plugin) is
   * passed over.
   */
  keep(node: NodeImages, images: ReadonlyMap<string, string>): Promise<Kept>;
}

/** What was written to the cache, and is still in it. */
export interface Kept {
  images: string[];
  bytes: number;
}

export interface ImageCacheOptions {
  folder: string;
  /** Bytes that all archives together may take; with 0 nothing is kept. */
  limit: number;
}

/** The cache in a folder, which need not exist. */
export function createImageCache({ folder, limit }: ImageCacheOptions): ImageCache {
  const find = async (image: string): Promise<Archive | undefined> =>
    (await archivesIn(folder)).find((archive) => archive.image === image);
  const discard = (archive: Archive) => rm(join(folder, archive.file), { force: true });

  return {
    has: async (image) => limit > 0 && (await find(image)) !== undefined,

    async restore(node, image) {
      const archive = limit > 0 ? await find(image) : undefined;
      if (archive === undefined) return false;
      const { exitCode, stderr } = await node.importArchive(join(folder, archive.file));
      if (exitCode !== 0) demandDocker(stderr);
      // containerd checks what the manifest names; the manifest itself is known by its digest in the file's name.
      const whole = exitCode === 0 && (await node.list()).get(image) === archive.digest;
      if (!whole) {
        await discard(archive);
        return false;
      }
      await markUsed(folder, archive);
      return true;
    },

    async keep(node, images) {
      const nothing = { images: [], bytes: 0 };
      if (limit === 0) return nothing;
      const known = await archivesIn(folder);
      const has = new Map(known.map(({ image, digest }) => [image, digest]));
      const wanted = [...images].filter(([image, digest]) => has.get(image) !== digest);
      if (wanted.length === 0) return nothing;
      const written = new Set<string>();
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await removeAbandoned(folder, (name) => name.endsWith('.part'));
      for (const [image, digest] of wanted) {
        const file = fileNameOf(image, digest);
        const part = join(folder, partOf(file));
        try {
          await node.exportArchive(image, part);
          await rename(part, join(folder, file));
        } catch (error) {
          // containerd discards layers that it has unpacked, and fetches none that an image shares with those.
          if (error instanceof CommandError && /content digest \S+: not found/.test(error.output.stderr)) continue;
          throw error;
        } finally {
          await rm(part, { force: true });
        }
        // The same name stood for another image until now.
        for (const old of known.filter((archive) => archive.image === image)) await discard(old);
        written.add(image);
      }
      const all = await archivesIn(folder);
      const gone = overLimit(all, limit);
      for (const archive of gone) await discard(archive);
      const stays = all.filter((archive) => written.has(archive.image) && !gone.includes(archive));
      return { images: stays.map((archive) => archive.image), bytes: stays.reduce((sum, { bytes }) => sum + bytes, 0) };
    },
  };
}
