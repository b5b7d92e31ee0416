import { randomUUID } from 'node:crypto';
import { readdir, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';

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

const extension = '.tar';

/** The file's name tells image and digest, so no list has to be kept beside the files. */
export function fileNameOf(image: string, digest: string): string {
  return `${encodeURIComponent(image)}@${digest.replace(':', '-')}${extension}`;
}

/** A name for a file that is not whole yet. */
export function partOf(file: string): string {
  return `.${randomUUID()}.${file.slice(0, 40)}.part`;
}

/** What is in a folder; nothing where it does not exist. */
export async function entriesOf(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
}

/** The archives in a folder; none where it does not exist. */
export async function archivesIn(folder: string): Promise<Archive[]> {
  const files = await entriesOf(folder);
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

/** Notes that an archive is of use. */
export async function markUsed(folder: string, { file }: Pick<Archive, 'file'>): Promise<void> {
  const now = new Date();
  await utimes(join(folder, file), now, now).catch(() => {});
}

/** Those to be removed, the longest unused first, for the rest to take no more than `limit` bytes. */
export function overLimit<T extends Pick<Archive, 'bytes' | 'usedAt'>>(archives: readonly T[], limit: number): T[] {
  let total = archives.reduce((sum, { bytes }) => sum + bytes, 0);
  return archives
    .toSorted((one, other) => one.usedAt - other.usedAt)
    .filter(({ bytes }) => {
      if (total <= limit) return false;
      total -= bytes;
      return true;
    });
}
