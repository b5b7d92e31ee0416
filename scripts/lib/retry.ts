import { setTimeout as sleep } from 'node:timers/promises';
import { startStopwatch } from './deadline.ts';
import { Interrupted } from './errors.ts';

export interface RetryOptions {
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
export async function withRetry<T>(
  work: () => Promise<T>,
  passing: (error: unknown) => string | undefined | Promise<string | undefined>,
  { patience, signal, onRetry, every = 1000 }: RetryOptions,
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

interface WaitOptions {
  /** Milliseconds until giving up. */
  timeout: number;
  signal: AbortSignal;
  /** Milliseconds between two looks. */
  every?: number;
}

/** Timed out. `missing` is what the last look found missing. */
export class WaitTimeout extends Error {
  override readonly name = 'WaitTimeout';
  readonly missing: string;
  constructor(missing: string, seconds: number) {
    super(`after ${seconds} s: ${missing}`);
    this.missing = missing;
  }
}

/**
 * Looks again and again until `look` finds nothing missing. Throws `WaitTimeout` with what was missing last,
 * `Interrupted`, or whatever `look` throws.
 */
export async function waitUntil(look: () => Promise<string | undefined>, options: WaitOptions): Promise<void> {
  const { timeout, signal, every = 400 } = options;
  const passed = startStopwatch();
  for (;;) {
    if (signal.aborted) throw new Interrupted();
    const missing = await look();
    if (missing === undefined) return;
    if (passed() >= timeout) throw new WaitTimeout(missing, Math.round(timeout / 1000));
    await sleep(every, undefined, { signal }).catch(() => {});
  }
}
