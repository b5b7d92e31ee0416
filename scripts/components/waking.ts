import type { Context } from '../context.ts';
import type { Container } from '../lib/docker.ts';
import { UserError } from '../lib/errors.ts';
import { isLost, reach, wake } from './cluster.ts';
import { finishedAt } from './cluster-creation.ts';
import { untilNodeReports } from './node-report.ts';

/**
 * Starts the node of a cluster where it is stopped, and waits until the API server answers and what it tells is true again.
 * Hands back what it did. Throws a `UserError` for a cluster that is half created: nothing was ever in it.
 */
export async function wakeFinished(context: Context, container: Container): Promise<string[]> {
  const lost = isLost(container);
  const woken = lost ? [] : await wake(context, container);
  if (lost || !(await finishedAt(context))) {
    throw new UserError(`The cluster ${context.config.clusterName} is half created: there is nothing in it yet.`, {
      hint: 'npm run up makes it anew; npm run down deletes it.',
    });
  }
  await reach(context);
  if (woken.length > 0) await untilNodeReports(context);
  return woken;
}
