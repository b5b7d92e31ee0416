/** Milliseconds that a single round counts at most, unless said otherwise. */
const usualRound = 60_000;

/**
 * Starts to count milliseconds; what is handed back tells how many have passed. Between two calls at most `longestRound`
 * are counted: a machine that slept for an hour, or a process that was stopped, has not waited for an hour. The clock on
 * the wall, which may be set meanwhile, is not asked; the other one counts a sleep, too, on some systems (macOS).
 */
export function startStopwatch(longestRound = usualRound): () => number {
  let passed = 0;
  let before = performance.now();
  return () => {
    const now = performance.now();
    passed += Math.min(now - before, longestRound);
    before = now;
    return passed;
  };
}
