import { setTimeout as sleep } from 'node:timers/promises';
import { Interrupted } from './errors.ts';
import { startStopwatch } from './trace/stopwatch.ts';

export interface Retry {
  /** Milliseconds, counted from the first failure, in which it is tried again. */
  patience: number;
  signal: AbortSignal;
  /** Told why it is tried again, once for each new reason. */
  onRetry: (why: string) => void;
  /** Milliseconds between two tries. */
  every?: number;
}

/**
 * Does something that may be done twice, and again for as long as it fails with what passes by itself: `passing` tells
 * why, or undefined for a failure that stays. Throws the last failure, or `Interrupted`.
 */
export async function again<T>(
  work: () => Promise<T>,
  passing: (error: unknown) => string | undefined | Promise<string | undefined>,
  { patience, signal, onRetry, every = 1000 }: Retry,
): Promise<T> {
  let passed: (() => number) | undefined;
  let told: string | undefined;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const why = signal.aborted ? undefined : await passing(error);
      passed ??= startStopwatch();
      if (why === undefined || passed() >= patience) throw error;
      if (why !== told) onRetry(why);
      told = why;
    }
    await sleep(every, undefined, { signal }).catch(() => {});
    if (signal.aborted) throw new Interrupted();
  }
}
