import { setTimeout as sleep } from 'node:timers/promises';
import { Interrupted } from './errors.ts';

export interface WaitOptions {
  /** Milliseconds until giving up. */
  timeout: number;
  signal: AbortSignal;
  /** Milliseconds between two looks. */
  every?: number;
}

/** Waited in vain. `missing` is what the last look found missing. */
export class WaitTimeout extends Error {
  override readonly name = 'WaitTimeout';
  readonly missing: string;
  constructor(missing: string, seconds: number) {
    super(`after ${seconds} s: ${missing}`);
    this.missing = missing;
  }
}

/** Milliseconds that a single round counts at most: a machine that sleeps for an hour has not waited for an hour. */
const longestRound = 60_000;

/**
 * Looks again and again until `look` finds nothing missing. Throws `WaitTimeout` with what was missing last,
 * `Interrupted`, or whatever `look` throws.
 */
export async function waitUntil(look: () => Promise<string | undefined>, options: WaitOptions): Promise<void> {
  const { timeout, signal, every = 400 } = options;
  // The clock on the wall may be set meanwhile; this one may not.
  let left = timeout;
  for (let before = performance.now(); ; ) {
    if (signal.aborted) throw new Interrupted();
    const missing = await look();
    if (missing === undefined) return;
    const now = performance.now();
    left -= Math.min(now - before, longestRound);
    before = now;
    if (left <= 0) throw new WaitTimeout(missing, Math.round(timeout / 1000));
    await sleep(every, undefined, { signal }).catch(() => {});
  }
}
