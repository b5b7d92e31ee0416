import { setTimeout as sleep } from 'node:timers/promises';
import { Interrupted } from './errors.ts';
import { startStopwatch } from './trace/stopwatch.ts';

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
