import { startStopwatch } from '../../lib/trace/stopwatch.ts';
import type { Context } from '../context.ts';
import { groundOf } from '../explain/runtime.ts';
import { isPassing, Unreachable } from './api.ts';

/** Milliseconds of silence after which it is asked whether the node still runs: Docker starts it again when it was restarted. */
const silence = 30_000;

/**
 * The same look for one that is repeated: a cluster that is starting refuses and forgets a request now and then, which is
 * waited out, not failed on. It throws a `UserError` where the node does not run any more, for then nobody will answer.
 */
export function tolerant(context: Context, look: () => Promise<string | undefined>): () => Promise<string | undefined> {
  let silent = startStopwatch();
  return async () => {
    try {
      const missing = await look();
      silent = startStopwatch();
      return missing;
    } catch (error) {
      if (isPassing(error)) return error.message;
      if (!(error instanceof Unreachable)) throw error;
      if (silent() > silence) await groundOf(context).demandRunning(context);
      return error.message;
    }
  };
}
