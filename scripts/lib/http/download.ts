import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Interrupted, UserError } from '../errors.ts';
import { startDeadline } from '../retry.ts';
import { answerTo } from './client.ts';
import { DownloadError, downloadTimeoutError, httpStatusError, toDownloadError } from './download-error.ts';

export interface DownloadOptions extends RequestOptions {
  /** 64 hexadecimal digits. */
  sha256: string;
  cacheDir: string;
  fileName: string;
}

/** What would have to be fetched where nothing is. */
class NotCached extends UserError {
  constructor(fileName: string) {
    super(`${fileName} has to be downloaded first`, { hint: 'npm run prefetch' });
  }
}

const largestText = 1_048_576;

/**
 * Returns the path of the file in the cache, fetching it unless it is there with the right sha256. The file appears
 * under its name only when it is whole and checked, so any number of processes may ask for it at once.
 * Throws `DownloadError`, or `Interrupted` once the signal fired.
 */
export async function download(options: DownloadOptions): Promise<string> {
  const { cacheDir, fileName } = options;
  const sha256 = options.sha256.toLowerCase();
  const target = join(cacheDir, fileName);
  try {
    if ((await sha256Of(target)) === sha256) return target;
    if (options.offline) throw new NotCached(fileName);
    await mkdir(cacheDir, { recursive: true });
    await removeAbandoned(cacheDir, (name) => name.startsWith(`.${fileName}.`) && name.endsWith('.part'));
  } catch (error) {
    throw error instanceof NotCached ? error : toDownloadError(options.url, error);
  }
  await withRetries(options, async (signal) => {
    const part = join(cacheDir, `.${fileName}.${randomUUID()}.part`);
    try {
      const found = await withResponse({ ...options, signal }, (chunks) => writeChunks(part, chunks));
      if (found !== sha256) throw checksumError(options.url, sha256, found);
      await rename(part, target);
    } finally {
      await rm(part, { force: true });
    }
  });
  return target;
}

/** The text behind a URL, 1 MiB at most. Throws like `download`. */
export function fetchText(options: RequestOptions): Promise<string> {
  return withRetries(options, (signal) =>
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

/** Writes a new file. @returns its sha256. */
async function writeChunks(path: string, chunks: Chunks): Promise<string> {
  const hash = createHash('sha256');
  const file = await open(path, 'wx', 0o644);
  try {
    for await (const chunk of chunks) {
      hash.update(chunk);
      await file.writeFile(chunk);
    }
    // Whatever the umask took away.
    await file.chmod(0o644);
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}

function checksumError(url: string, expected: string, found: string): DownloadError {
  return new DownloadError(url, {
    problem: 'checksum',
    why: `the sha256 of what came is ${found}, expected is ${expected}`,
    hint: 'Something on the way or at the source changed the file: do not use it, and try from another network.',
  });
}

interface RequestOptions {
  url: string;
  signal: AbortSignal;
  /** Milliseconds without a byte after which an attempt is given up. */
  idleTimeout?: number;
  /** Milliseconds to wait before each further attempt; their number is the number of retries. */
  retryDelays?: readonly number[];
  /** Milliseconds for all attempts together. Default: 10 minutes. */
  timeout?: number | undefined;
  /** Told why it is tried again. */
  onRetry?: ((why: string) => void) | undefined;
  /** Fetch nothing: what is not in the cache is missing. */
  offline?: boolean;
  /** Told what is asked for; what it returns is called when that is over, also where it failed. */
  onRequest?: ((url: string) => () => void) | undefined;
}

/** What limits a request, wherever it goes. */
export type RequestLimits = Pick<
  RequestOptions,
  'idleTimeout' | 'retryDelays' | 'timeout' | 'onRetry' | 'onRequest' | 'offline'
>;

/**
 * Repeats what a moment may mend; the attempt is to heed the signal that it is given. Throws `DownloadError`, or
 * `Interrupted` once the signal of the options fired.
 */
async function withRetries<T>(
  { url, signal, retryDelays = [300, 1_500], timeout = 600_000, onRetry, onRequest }: RequestOptions,
  attempt: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = startDeadline(timeout);
  const either = AbortSignal.any([signal, deadline.signal]);
  const over = onRequest?.(url);
  try {
    for (let tries = 0; ; tries += 1) {
      if (signal.aborted) throw new Interrupted();
      try {
        return await attempt(either);
      } catch (error) {
        if (signal.aborted) throw new Interrupted();
        if (deadline.signal.aborted) throw downloadTimeoutError(url, timeout);
        const failure = toDownloadError(url, error);
        const delay = retryDelays[tries];
        if (!failure.retryable || delay === undefined) throw failure;
        onRetry?.(failure.message);
        // An abort ends the pause early; the top of the loop, or the next attempt, then says so.
        await sleep(delay, undefined, { signal: either }).catch(() => undefined);
      }
    }
  } finally {
    over?.();
    deadline.clear();
  }
}

type Chunks = AsyncIterable<Uint8Array>;

/** Hands the body to `read` as it comes, and gives up when nothing comes for `idleTimeout`. */
async function withResponse<T>(
  { url, signal, idleTimeout = 20_000 }: Pick<RequestOptions, 'url' | 'signal' | 'idleTimeout'>,
  read: (chunks: Chunks) => Promise<T>,
): Promise<T> {
  const idle = new AbortController();
  const timer = setTimeout(() => idle.abort(), idleTimeout);
  try {
    const response = await follow(url, AbortSignal.any([signal, idle.signal]));
    const status = response.statusCode ?? 0;
    if (status !== 200) {
      response.destroy();
      throw httpStatusError(url, status);
    }
    return await read(keepingAlive(response, timer));
  } catch (error) {
    if (!idle.signal.aborted) throw error;
    throw toDownloadError(url, Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' }));
  } finally {
    clearTimeout(timer);
  }
}

/** As many as browsers follow before they take it for a circle. */
const mostRedirects = 20;

/** The answer at the end of the redirects. */
async function follow(url: string, signal: AbortSignal, left = mostRedirects): Promise<IncomingMessage> {
  const response = await answerTo(url, undefined, { signal });
  const { location } = response.headers;
  if (left === 0 || location === undefined || ![301, 302, 303, 307, 308].includes(response.statusCode ?? 0))
    return response;
  response.destroy();
  return follow(new URL(location, url).href, signal, left - 1);
}

async function* keepingAlive(response: IncomingMessage, timer: NodeJS.Timeout): Chunks {
  for await (const chunk of response) {
    timer.refresh();
    yield chunk as Uint8Array;
  }
}

const oneHourMs = 3_600_000;

/** Removes what a process that was killed left behind: entries that are named so and were not touched for an hour. */
export async function removeAbandoned(folder: string, isTemporary: (name: string) => boolean): Promise<void> {
  for (const name of (await readdir(folder)).filter(isTemporary)) {
    const path = join(folder, name);
    const age = Date.now() - (await stat(path).catch(() => ({ mtimeMs: Date.now() }))).mtimeMs;
    if (age > oneHourMs) await rm(path, { recursive: true, force: true });
  }
}
