import { UserError } from '../../lib/errors.ts';
import { startStopwatch, waitUntil } from '../../lib/retry.ts';
import { ApiError, isPassing, Unreachable, WrongClock } from '../api/api.ts';
import type { ClusterContext } from '../context.ts';
import { outOfMemory } from '../explain/pod-problem.ts';
import { assertNodeRunning, killedForMemory, runtimeAdvice } from '../explain/runtime.ts';
import { remedyFor } from '../kubectl.ts';

const rerunHint = 'npm run up continues where it stopped.';

/** The error for what was waited for until the deadline, with the remedy that is known, or else the hint. */
export async function timeoutError(context: ClusterContext, missing: string, hint?: string): Promise<UserError> {
  const sentence = `Timed out after ${context.timeout / 1000} s: ${missing}.`;
  const known = remedyFor(missing) ?? hint;
  if (!/^the API server .* does not answer/.test(missing))
    return new UserError(sentence, { hint: known ?? `npm run status shows the state; ${rerunHint}` });
  const killed = await killedForMemory(context);
  return killed > 0
    ? new UserError(`${sentence}\n  The node ${context.node} ran out of memory: ${killed} processes were killed.`, {
        id: ['api-server-silent', 'node-out-of-memory'],
        hint: outOfMemory,
      })
    : new UserError(sentence, {
        id: 'api-server-silent',
        hint: known ?? `${runtimeAdvice(context).tellsWhy}; ${rerunHint}`,
      });
}

/** Waits until the API server answers. A stopped node that was started again has it back within seconds; the rest is for slow disks. */
export async function waitForApi(context: ClusterContext): Promise<void> {
  const missing = await waitUntil(() => missingApi(context), context);
  if (missing === undefined) return;
  const { tellsWhy, lastResort } = runtimeAdvice(context);
  throw await timeoutError(context, missing, `${tellsWhy}; ${lastResort}`);
}

/** Why the API server can't be asked, or undefined. Throws what does not pass: a wrong clock, a login that is not to be had. */
export async function missingApi(context: ClusterContext): Promise<string | undefined> {
  try {
    await context.api().text('/readyz');
    return undefined;
  } catch (error) {
    if (context.signal.aborted || error instanceof WrongClock) throw error;
    const silent = error instanceof Unreachable;
    const refused = error instanceof ApiError ? [401, 403].includes(error.status) : error instanceof UserError;
    // A login that a cluster elsewhere refuses does not get in by waiting.
    if (context.target !== undefined && refused && !silent) throw error;
    const cause = silent ? ` (${error.message.replace(/^.* does not answer: /, '')})` : '';
    const answer = error instanceof ApiError ? `answers ${error.status}` : `does not answer${cause}`;
    return `the API server of ${context.config.clusterName} ${answer}`;
  }
}

/** Milliseconds of silence after which it is asked whether the node still runs: Docker starts it again when it was restarted. */
const silenceMs = 30_000;

/**
 * The same look for one that is repeated: a cluster that is starting refuses and forgets a request now and then, which is
 * waited out, not failed on. It throws a `UserError` where the node does not run any more, for then nothing will answer.
 */
export function toleratingOutages(
  context: ClusterContext,
  look: () => Promise<string | undefined>,
): () => Promise<string | undefined> {
  let silent = startStopwatch();
  return async () => {
    try {
      const missing = await look();
      silent = startStopwatch();
      return missing;
    } catch (error) {
      if (isPassing(error)) return error.message;
      if (!(error instanceof Unreachable)) throw error;
      if (silent() > silenceMs) await assertNodeRunning(context);
      return error.message;
    }
  };
}

/**
 * Waits until `look` finds nothing missing in the cluster, also over an outage of its API server, for as long as a step may
 * take. `every`: milliseconds between two looks.
 * @returns what was still missing then, or undefined.
 */
export function waitThroughOutages(
  context: ClusterContext,
  look: () => Promise<string | undefined>,
  every = 400,
): Promise<string | undefined> {
  const { timeout, signal } = context;
  return waitUntil(toleratingOutages(context, look), { timeout, signal, every });
}
