import type { Context } from '../../images/context.ts';
import { Interrupted, UserError } from '../../lib/errors.ts';
import type { Drill, Outcome } from './drill.ts';

/** What came of a drill; one that could not be shown tells why. */
export type Shown = { name: string; promise: string } & (Outcome | { held: undefined; skipped: string });

export interface Means {
  context: Context;
  /** Makes a context that an interruption of the command does not end: what was begun is undone in it. */
  calm: () => Context;
}

/**
 * Shows one promise, and puts right what that took, whatever comes in between. A promise that could not be seen held in time
 * was not held. Throws `Interrupted`, and a `UserError` for what could not be put right.
 */
export async function show({ name, promise, ...drill }: Drill, { context, calm }: Means): Promise<Shown> {
  const skipped = await drill.hindrance?.(context);
  if (skipped !== undefined) return { name, promise, held: undefined, skipped };
  const started = performance.now();
  const outcome = await drill.run(context).catch((error: unknown): Outcome | { thrown: unknown } => {
    const seconds = (performance.now() - started) / 1000;
    return error instanceof UserError ? { held: false, seconds, evidence: error.message } : { thrown: error };
  });
  await undo(name, () => drill.undo(calm()));
  if ('thrown' in outcome) throw outcome.thrown;
  if (context.signal.aborted) throw new Interrupted();
  return { name, promise, ...outcome };
}

async function undo(name: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`What the drill ${name} did could not be undone: ${error.message}`, {
      hint: 'npm run up puts it right.',
      cause: error,
    });
  }
}
