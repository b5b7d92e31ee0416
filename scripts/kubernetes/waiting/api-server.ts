import { UserError } from '../../lib/errors.ts';
import { startStopwatch, WaitTimeout, waitUntil } from '../../lib/retry.ts';
import { ApiError, isPassing, Unreachable, WrongClock } from '../api/api.ts';
import type { ClusterContext } from '../context.ts';
import { outOfMemory } from '../explain/pod-problem.ts';
import { runtimeOf } from '../explain/runtime.ts';
import { remedyFor } from '../kubectl.ts';

const rerunHint = 'npm run up goes on where it stopped.';

/** The error for what was waited for until the deadline, with the remedy that is known, or else the hint. */
export async function timeoutError(context: ClusterContext, missing: string, hint?: string): Promise<UserError> {
  const sentence = `Waited ${context.timeout / 1000} s in vain: ${missing}.`;
  const known = remedyFor(missing) ?? hint;
  if (!/^the API server .* does not answer/.test(missing))
    return new UserError(sentence, { hint: known ?? `npm run status shows what there is; ${rerunHint}` });
  const ground = runtimeOf(context);
  const killed = await ground.killedForMemory(context);
  return killed > 0
    ? new UserError(`${sentence}\n  ${killed} processes of the node ${context.node} were killed for want of memory.`, {
        id: ['api-server-silent', 'node-out-of-memory'],
        hint: outOfMemory,
      })
    : new UserError(sentence, { id: 'api-server-silent', hint: known ?? `${ground.tellsWhy(context)}; ${rerunHint}` });
}

/** Waits until the API server answers. A stopped node that was started again has it back within seconds; the rest is for slow disks. */
export async function waitForApi(context: ClusterContext): Promise<void> {
  const { timeout, signal } = context;
  try {
    await waitUntil(() => missingApi(context), { timeout, signal });
  } catch (error) {
    if (!(error instanceof WaitTimeout)) throw error;
    const { tellsWhy, lastResort } = runtimeOf(context);
    throw await timeoutError(context, error.missing, `${tellsWhy(context)}; ${lastResort}`);
  }
}

/** Why the API server can't be asked, or undefined. Throws what does not pass: a wrong clock, a login that is not to be had. */
export async function missingApi(context: ClusterContext): Promise<string | undefined> {
  try {
    await context.api().text('/readyz');
    return undefined;
  } catch (error) {
    if (context.signal.aborted || error instanceof WrongClock) throw error;
    const silent = error instanceof Unreachable;
    if (context.target !== undefined && error instanceof UserError && !silent && !mayPass(error)) throw error;
    const why =
      error instanceof ApiError ? `answers ${error.status}` : `does not answer${silent ? causeOf(error) : ''}`;
    return `the API server of ${context.config.clusterName} ${why}`;
  }
}

/** A login that is refused on a cluster elsewhere is not let in by waiting. */
function mayPass(error: UserError): boolean {
  return error instanceof ApiError && error.status !== 401 && error.status !== 403;
}

/** What the connection failed with; no kubeconfig is no cause of its own. */
function causeOf({ message }: Unreachable): string {
  return ` (${message.replace(/^.* does not answer: /, '')})`;
}

/** Milliseconds of silence after which it is asked whether the node still runs: Docker starts it again when it was restarted. */
const silenceMs = 30_000;

/**
 * The same look for one that is repeated: a cluster that is starting refuses and forgets a request now and then, which is
 * waited out, not failed on. It throws a `UserError` where the node does not run any more, for then nobody will answer.
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
      if (silent() > silenceMs) await runtimeOf(context).assertRunning(context);
      return error.message;
    }
  };
}
