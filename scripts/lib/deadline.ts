import { startStopwatch } from './trace/stopwatch.ts';

export interface Deadline {
  /** Fires when the time is up. */
  signal: AbortSignal;
  /** To be called when it is not needed any more. */
  clear(): void;
}

/** Milliseconds between two looks at the stopwatch, and those that a look counts at most. */
const look = { every: 1000, counts: 5000 };

/** Like `AbortSignal.timeout`, but time in which this machine slept does not count: what ran before it goes on afterwards. */
export function startDeadline(milliseconds: number): Deadline {
  const controller = new AbortController();
  const passed = startStopwatch(look.counts);
  const timer = setInterval(
    () => {
      if (passed() < milliseconds) return;
      clearInterval(timer);
      controller.abort();
    },
    Math.min(look.every, milliseconds),
  );
  // What it is a deadline for keeps the process alive.
  timer.unref();
  return { signal: controller.signal, clear: () => clearInterval(timer) };
}
