import { UserError } from '../../lib/errors.ts';
import { WaitTimeout, waitUntil } from '../../lib/wait.ts';
import type { Context } from '../context.ts';
import { groundOf } from '../explain/runtime.ts';
import { waitedInVain } from '../waiting/timeout.ts';
import { ApiError, Unreachable, WrongClock } from './api.ts';

/** Waits until the API server answers. A stopped node that was started again has it back within seconds; the rest is for slow disks. */
export async function untilApiAnswers(context: Context): Promise<void> {
  const { timeout, signal } = context;
  try {
    await waitUntil(() => missingApi(context), { timeout, signal });
  } catch (error) {
    if (!(error instanceof WaitTimeout)) throw error;
    const { tellsWhy, lastResort } = groundOf(context);
    throw await waitedInVain(context, error.missing, `${tellsWhy(context)}; ${lastResort}`);
  }
}

/** Why the API server can't be asked, or undefined. Throws what does not pass: a wrong clock, a login that is not to be had. */
export async function missingApi(context: Context): Promise<string | undefined> {
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
