import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { removeAbandoned } from './abandoned.ts';
import { DownloadError, explainFailure } from './failure.ts';
import { type Chunks, type RequestOptions, retrying, withResponse } from './request.ts';

export { DownloadError, type DownloadProblem } from './failure.ts';
export type { RequestLimits, RequestOptions } from './request.ts';

export interface Progress {
  /** Bytes. */
  received: number;
  /** Bytes, where the server says so. */
  total: number | undefined;
}

export interface DownloadOptions extends RequestOptions {
  /** 64 hexadecimal digits. */
  sha256: string;
  cacheDir: string;
  fileName: string;
  /** Permissions of the file, for example 0o755. */
  mode?: number;
  onProgress?: (progress: Progress) => void;
}

const largestText = 1_048_576;

/**
 * Returns the path of the file in the cache, fetching it unless it is there with the right sha256. The file appears
 * under its name only when it is whole and checked, so any number of processes may ask for it at once.
 * Throws `DownloadError`, or `Interrupted` once the signal fired.
 */
export async function download(options: DownloadOptions): Promise<string> {
  const { cacheDir, fileName, mode = 0o644 } = options;
  const target = join(cacheDir, fileName);
  try {
    if ((await sha256Of(target)) === options.sha256.toLowerCase()) {
      await chmod(target, mode);
      return target;
    }
    await mkdir(cacheDir, { recursive: true });
    await removeAbandoned(cacheDir, (name) => name.startsWith(`.${fileName}.`) && name.endsWith('.part'));
  } catch (error) {
    throw explainFailure(options.url, error);
  }
  await retrying(options, async (signal) => {
    const part = join(cacheDir, `.${fileName}.${randomUUID()}.part`);
    try {
      const found = await withResponse({ ...options, signal }, (chunks, total) =>
        writeChunks(part, chunks, total, options),
      );
      if (found !== options.sha256.toLowerCase()) throw checksumFailure(options, found);
      await rename(part, target);
    } finally {
      await rm(part, { force: true });
    }
  });
  return target;
}

/** The text behind a URL, 1 MiB at most. Throws like `download`. */
export function fetchText(options: RequestOptions): Promise<string> {
  return retrying(options, (signal) =>
    withResponse({ ...options, signal }, async (chunks) => {
      const parts: Uint8Array[] = [];
      let length = 0;
      for await (const chunk of chunks) {
        length += chunk.length;
        if (length > largestText) throw new Error('the text is too long');
        parts.push(chunk);
      }
      return Buffer.concat(parts).toString('utf8');
    }),
  );
}

/** The sha256 of a file as hexadecimal digits, or nothing where no such file is. */
export async function sha256Of(path: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  return hash.digest('hex');
}

async function writeChunks(path: string, chunks: Chunks, total: number | undefined, options: DownloadOptions) {
  const hash = createHash('sha256');
  const file = await open(path, 'wx', options.mode ?? 0o644);
  try {
    let received = 0;
    for await (const chunk of chunks) {
      hash.update(chunk);
      await file.writeFile(chunk);
      received += chunk.length;
      options.onProgress?.({ received, total });
    }
    // Whatever the umask took away.
    await file.chmod(options.mode ?? 0o644);
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}

function checksumFailure({ url, sha256 }: DownloadOptions, found: string): DownloadError {
  return new DownloadError(url, {
    problem: 'checksum',
    why: `the sha256 of what came is ${found}, expected is ${sha256.toLowerCase()}`,
    hint: 'Something on the way or at the source changed the file: do not use it, and try from another network.',
  });
}
