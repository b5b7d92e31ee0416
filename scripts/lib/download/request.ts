import { setTimeout as sleep } from 'node:timers/promises';
import { startDeadline } from '../deadline.ts';
import { Interrupted } from '../errors.ts';
import { explainFailure, slowFailure, statusFailure } from './failure.ts';

export interface RequestOptions {
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
  /** Told what is asked for; what it hands back is called when that is over, also where it failed. */
  onRequest?: ((url: string) => () => void) | undefined;
}

/** What limits a request, wherever it goes. */
export type RequestLimits = Pick<RequestOptions, 'idleTimeout' | 'retryDelays' | 'timeout' | 'onRetry' | 'onRequest'>;

/**
 * Repeats what a moment may mend; the attempt is to heed the signal that it is given. Throws `DownloadError`, or
 * `Interrupted` once the signal of the options fired.
 */
export async function retrying<T>(
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
        if (deadline.signal.aborted) throw slowFailure(url, timeout);
        const failure = explainFailure(url, error);
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

export type Chunks = AsyncIterable<Uint8Array>;

/** Hands the body to `read` as it comes, and gives up when nothing comes for `idleTimeout`. */
export async function withResponse<T>(
  { url, signal, idleTimeout = 20_000 }: Pick<RequestOptions, 'url' | 'signal' | 'idleTimeout'>,
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
