import { setTimeout as sleep } from 'node:timers/promises';
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

/**
 * Looks again and again until `look` finds nothing missing.
 * @returns what the last look found missing where the time is up, or undefined.
 * @throws Interrupted, or whatever `look` throws.
 */
export async function waitUntil(
  look: () => Promise<string | undefined>,
  options: WaitOptions,
): Promise<string | undefined> {
  const { timeout, signal, every = 400 } = options;
  const passed = startStopwatch();
  for (;;) {
    if (signal.aborted) throw new Interrupted();
    const missing = await look();
    if (missing === undefined || passed() >= timeout) return missing;
    await sleep(every, undefined, { signal }).catch(() => {});
  }
}

interface Deadline {
  /** Fires when the time is up. */
  signal: AbortSignal;
  /** To be called when it is not needed any more. */
  clear(): void;
}

/** Milliseconds between two looks at the stopwatch, and those that a look counts at most. */
const polling = { every: 1000, counts: 5000 };

/** Like `AbortSignal.timeout`, but time in which this machine slept does not count: what ran before it goes on afterwards. */
export function startDeadline(milliseconds: number): Deadline {
  const controller = new AbortController();
  const passed = startStopwatch(polling.counts);
  const timer = setInterval(
    () => {
      if (passed() < milliseconds) return;
      clearInterval(timer);
      controller.abort();
    },
    Math.min(polling.every, milliseconds),
  );
  // What it is a deadline for keeps the process alive.
  timer.unref();
  return { signal: controller.signal, clear: () => clearInterval(timer) };
}

/** Milliseconds that a single round counts at most, unless said otherwise. */
const usualRoundMs = 60_000;

/**
 * Starts to count milliseconds; what is returned tells how many have passed. Between two calls at most `longestRound`
 * are counted: a machine that slept for an hour, or a process that was stopped, has not waited for an hour. The clock on
 * the wall, which may be set meanwhile, is not asked; the other one counts a sleep, too, on some systems (macOS).
 */
export function startStopwatch(longestRound = usualRoundMs): () => number {
  let passed = 0;
  let before = performance.now();
  return () => {
    const now = performance.now();
    passed += Math.min(now - before, longestRound);
    before = now;
    return passed;
  };
}
