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
