import { setTimeout as sleep } from 'node:timers/promises';
import { Interrupted } from '../errors.ts';
import { explainFailure, statusFailure } from './failure.ts';

export interface RequestOptions {
  url: string;
  signal: AbortSignal;
  /** Milliseconds without a byte after which an attempt is given up. */
  idleTimeout?: number;
  /** Milliseconds to wait before each further attempt; their number is the number of retries. */
  retryDelays?: readonly number[];
}

/** Repeats what a moment may mend. Throws `DownloadError`, or `Interrupted` once the signal fired. */
export async function retrying<T>(
  { url, signal, retryDelays = [300, 1_500] }: RequestOptions,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    if (signal.aborted) throw new Interrupted();
    try {
      return await attempt();
    } catch (error) {
      if (signal.aborted) throw new Interrupted();
      const failure = explainFailure(url, error);
      const delay = retryDelays[tries];
      if (!failure.retryable || delay === undefined) throw failure;
      // An abort ends the pause early; the top of the loop then says so.
      await sleep(delay, undefined, { signal }).catch(() => undefined);
    }
  }
}

export type Chunks = AsyncIterable<Uint8Array>;

/** Hands the body to `read` as it comes, and gives up when nothing comes for `idleTimeout`. */
export async function withResponse<T>(
  { url, signal, idleTimeout = 20_000 }: RequestOptions,
  read: (chunks: Chunks, total: number | undefined) => Promise<T>,
): Promise<T> {
  const idle = new AbortController();
  const timer = setTimeout(() => idle.abort(), idleTimeout);
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, idle.signal]) });
    if (!response.ok) {
      await response.body?.cancel();
      throw statusFailure(url, response.status);
    }
    const length = Number(response.headers.get('content-length'));
    return await read(keepingAlive(response, timer), length > 0 ? length : undefined);
  } catch (error) {
    if (!idle.signal.aborted) throw error;
    throw explainFailure(url, Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' }));
  } finally {
    clearTimeout(timer);
  }
}

async function* keepingAlive(response: Response, timer: NodeJS.Timeout): Chunks {
  for await (const chunk of response.body ?? []) {
    timer.refresh();
    yield chunk as Uint8Array;
  }
}
