import type { Stage } from './receipt.ts';

/** When each stage was first seen to be reached. */
export interface Marks {
  reach(stage: Stage): void;
  /** Begins anew, for another commit. */
  clear(): void;
  /** Seconds since the beginning. */
  seconds(): Partial<Record<Stage, number>>;
}

/** `since` is when it began, in milliseconds of `performance.now()`. */
export function createMarks(since: number): Marks {
  const reached = new Map<Stage, number>();
  return {
    reach(stage) {
      if (!reached.has(stage)) reached.set(stage, Math.round(performance.now() - since) / 1000);
    },
    clear: () => reached.clear(),
    seconds: () => Object.fromEntries(reached),
  };
}
