import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { assertDockerResponds } from '../lib/docker/images.ts';
import { UserError } from '../lib/errors.ts';
import { CommandError } from '../lib/exec.ts';
import { removeAbandoned } from '../lib/http/download.ts';
import type { NodeImages } from './containerd.ts';

/** Images on this machine as a registry hands them out, so that a new cluster does not download them again. */
export type ImageCache = ReturnType<typeof createImageCache>;

/**
 * The cache in a folder, which need not exist.
 *
 * @param limit bytes that all archives together may take; with 0 nothing is kept.
 */
export function createImageCache({ folder, limit }: { folder: string; limit: number }) {
  const find = async (image: string): Promise<Archive | undefined> =>
    limit > 0 ? (await archivesIn(folder)).find((archive) => archive.image === image) : undefined;
  const discard = (archive: Archive) => rm(join(folder, archive.file), { force: true });

  return {
    /** Whether there is an archive of an image, given by its full name. */
    has: async (image: string) => (await find(image)) !== undefined,

    /**
     * Reads an image, given by its full name, into a node. False where there is none, or none that is whole: that is thrown
     * away. Throws a `UserError` where Docker does not answer.
     */
    async restore(node: NodeImages, image: string): Promise<boolean> {
      const archive = await find(image);
      if (archive === undefined) return false;
      const { exitCode, stderr } = await node.importArchive(join(folder, archive.file));
      if (exitCode !== 0) assertDockerResponds(stderr);
      // containerd checks what the manifest names; the manifest itself is known by its digest in the file's name.
      const whole = exitCode === 0 && (await node.list()).get(image) === archive.digest;
      await (whole ? markUsed(folder, archive.file) : discard(archive));
      return whole;
    },

    /**
     * Writes those of a node's images, digest by full name, that are not in the cache yet; then takes away what was not used
     * for the longest time, until the rest is within the limit. Throws `CommandError` where a file can't be written. An image
     * whose packed layers the node has discarded after unpacking them (`discard_unpacked_layers` of containerd's CRI plugin) is
     * passed over.
     * @returns what was written, and is still in the cache.
     */
    async keep(node: NodeImages, images: ReadonlyMap<string, string>): Promise<KeptImages> {
      if (limit === 0) return { images: [], bytes: 0 };
      const known = await archivesIn(folder);
      const written = new Set<string>();
      for (const [image, digest] of images) {
        const same = known.filter((archive) => archive.image === image);
        if (same.some((archive) => archive.digest === digest)) continue;
        try {
          await writeArchive(folder, fileNameOf(image, digest), async (part) => {
            await node.exportArchive(image, part);
            return true;
          });
        } catch (error) {
          // containerd discards layers that it has unpacked, and fetches none that an image shares with those.
          if (error instanceof CommandError && /content digest \S+: not found/.test(error.output.stderr)) continue;
          throw error;
        }
        // The same name stood for another image until now.
        for (const old of same) await discard(old);
        written.add(image);
      }
      if (written.size === 0) return { images: [], bytes: 0 };
      const all = await archivesIn(folder);
      const over = overLimit(all, limit);
      for (const archive of over) await discard(archive);
      const stays = all.filter((archive) => written.has(archive.image) && !over.includes(archive));
      return { images: stays.map(({ image }) => image), bytes: sizeOf(stays) };
    },
  };
}

export interface KeptImages {
  images: string[];
  bytes: number;
}

/** A file of the cache with one image in it (the OCI image layout, in a tar). */
export interface Archive {
  file: string;
  /** The full name, as `quay.io/argoproj/argocd:v3.5.7`. */
  image: string;
  /** Of what the name stands for: the manifest, or the index of manifests. */
  digest: string;
  bytes: number;
  /** Milliseconds since 1970. */
  usedAt: number;
}

/** The file's name tells image and digest, so no list has to be kept beside the files. */
export function fileNameOf(image: string, digest: string): string {
  return `${encodeURIComponent(image)}@${digest.replace(':', '-')}.tar`;
}

/**
 * Has a file of a cache written whole or not at all, in a folder that is its owner's alone: `write` is given the name that it
 * has until then. What a process that was killed left behind is removed.
 *
 * @returns its bytes; 0 where `write` says that it is not to be kept.
 */
export async function writeArchive(
  folder: string,
  file: string,
  write: (part: string) => Promise<boolean>,
): Promise<number> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await removeAbandoned(folder, (name) => name.endsWith('.part'));
  const part = join(folder, `.${randomUUID()}.${file.slice(0, 40)}.part`);
  try {
    if (!(await write(part))) return 0;
    const { size } = await stat(part);
    await rename(part, join(folder, file));
    return size;
  } finally {
    await rm(part, { force: true });
  }
}

/** What is in a folder; nothing where it does not exist. */
export async function listFolder(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
}

/** The archives in a folder; none where it does not exist. */
export async function archivesIn(folder: string): Promise<Archive[]> {
  const files = await listFolder(folder);
  const read = files.map(async (file): Promise<Archive[]> => {
    const [, name, algorithm, hash] = file.match(/^([^.@][^@]*)@([a-z0-9]+)-([0-9a-f]+)\.tar$/) ?? [];
    if (name === undefined) return [];
    // Another command may have taken it away.
    const found = await stat(join(folder, file)).catch(() => undefined);
    if (found === undefined) return [];
    const digest = `${algorithm}:${hash}`;
    return [{ file, image: decodeURIComponent(name), digest, bytes: found.size, usedAt: found.mtimeMs }];
  });
  return (await Promise.all(read)).flat();
}

/** Notes that a file is of use. */
export async function markUsed(folder: string, file: string): Promise<void> {
  const now = new Date();
  await utimes(join(folder, file), now, now).catch(() => {});
}

/** Bytes that they take together. */
export function sizeOf(archives: readonly Pick<Archive, 'bytes'>[]): number {
  return archives.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Those to be removed, the longest unused first, for the rest to take no more than `limit` bytes. */
export function overLimit<T extends Pick<Archive, 'bytes' | 'usedAt'>>(archives: readonly T[], limit: number): T[] {
  let total = sizeOf(archives);
  return archives
    .toSorted((one, other) => one.usedAt - other.usedAt)
    .filter(({ bytes }) => {
      if (total <= limit) return false;
      total -= bytes;
      return true;
    });
}

/**
 * Makes sure that `prefetch` promises nothing that `up` can't find.
 *
 * @param missing the full names of the images that are not in the cache.
 * @throws a `UserError` that names them.
 */
export function demandKept(missing: readonly string[]): void {
  if (missing.length === 0) return;
  throw new UserError(`These images were downloaded, but not kept: ${missing.join(', ')}.`, {
    hint: 'Set IMAGE_CACHE_GB in .env to more gigabytes, and run npm run prefetch again. Until then npm run up downloads them.',
  });
}
