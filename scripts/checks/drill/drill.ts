import type { Context } from '../../images/context.ts';
import { Interrupted, UserError } from '../../lib/errors.ts';

/** What came of showing a promise. */
export interface DrillOutcome {
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
  run(context: Context): Promise<DrillOutcome>;
  /** Repairs what `run` did, however far that came, and waits for it. Does nothing where nothing was done. */
  undo(context: Context): Promise<void>;
  /** Removes what the next drill may need as well, once all drills are over. */
  cleanUp?(context: Context): Promise<void>;
}

/**
 * Which service each drill is about. Argo CD waits longer before each time that it heals the same commit again, so what is
 * changed by hand here gets another commit later on, in another drill, and a second round is as quick as the first.
 */
export const drillServices = {
  /** Behind the ingress: what goes wrong with it, its callers would notice. */
  front: 'api-node',
  /** Asked by the one in front, for each request. */
  middle: 'core-go',
  /** Nobody calls it. */
  back: 'worker-python',
} as const;

/** What came of a drill; one that could not be shown tells why. */
export type DrillResult = { name: string; promise: string } & (DrillOutcome | { held: undefined; skipped: string });

/**
 * Shows one promise, and repairs what that took, whatever comes in between. A promise that could not be seen held in time
 * was not held.
 * @param calm makes a context that an interruption of the command does not end: what was begun is undone in it
 * @throws Interrupted, and a UserError for what could not be repaired
 */
export async function performDrill(drill: Drill, context: Context, calm: () => Context): Promise<DrillResult> {
  const { name, promise } = drill;
  const skipped = await drill.hindrance?.(context);
  if (skipped !== undefined) return { name, promise, held: undefined, skipped };
  const started = performance.now();
  let outcome: DrillOutcome;
  try {
    outcome = await drill.run(context);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    outcome = { held: false, seconds: (performance.now() - started) / 1000, evidence: error.message };
  } finally {
    await undo(drill, calm());
  }
  if (context.signal.aborted) throw new Interrupted();
  return { name, promise, ...outcome };
}

async function undo(drill: Drill, context: Context): Promise<void> {
  try {
    await drill.undo(context);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`What the drill ${drill.name} did could not be undone: ${error.message}`, {
      hint: 'npm run up repairs it.',
      cause: error,
    });
  }
}
