import type { Context } from '../../images/context.ts';

/** What came of showing a promise. */
export interface Outcome {
  held: boolean;
  /** How long what was promised took. */
  seconds: number;
  /** What was seen, in a few words. */
  evidence: string;
}

/** A promise of the platform that is shown on the live cluster. The cluster is the only state, here as everywhere. */
export interface Drill {
  name: string;
  /** One sentence. */
  promise: string;
  /** Why it can't be shown on this cluster, or undefined. */
  hindrance?(context: Context): Promise<string | undefined>;
  /** Does what it takes to see the promise held. Throws a `UserError` where it doesn't come so far. */
  run(context: Context): Promise<Outcome>;
  /** Puts right what `run` did, however far that came, and waits for it. Does nothing where nothing was done. */
  undo(context: Context): Promise<void>;
  /** Takes away what other drills may use as well, once all are over. */
  tidy?(context: Context): Promise<void>;
}
