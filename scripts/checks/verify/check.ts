import type { Live } from './live.ts';

/** One thing that is not as promised, in words that a person can act on. */
export interface Finding {
  /** One sentence: what was found, and what it means. */
  message: string;
  /** What to do about it. */
  remedy: string;
  /** It does not pass by itself, so that nobody waits for that. */
  lasting?: true;
}

export interface Result {
  findings: Finding[];
  /** What was looked at, in a few words: '4 pods of 3 services'. */
  detail: string;
}

/** One line of `npm run verify`. */
export interface Check {
  /** The word that chooses it: `npm run verify -- targets`. */
  name: string;
  /** What is true when it finds nothing, as a short phrase. */
  title: string;
  /**
   * Looks at the cluster once. What it finds may pass by itself, as while a pod starts: then it is called again. `worthIt`
   * tells one that waits by itself whether that still makes sense. Throws what makes looking impossible.
   */
  run(live: Live, worthIt: () => boolean): Promise<Result>;
}

/** '1 pod', '2 pods'. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
