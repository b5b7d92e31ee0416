import { isLost, reach, wake } from '../components/cluster.ts';
import { finishedAt } from '../components/cluster-creation.ts';
import { ownContainer } from '../components/cluster-ownership.ts';
import { untilNodeReports } from '../components/node-report.ts';
import type { Context } from '../context.ts';
import { UserError } from '../lib/errors.ts';
import type { Progress } from '../lib/progress.ts';

/**
 * Makes sure that the cluster can be asked, and starts it where it is stopped; false where there is none. Throws a
 * `UserError` for one that is half created, and for one that would have to be started only to look.
 */
export async function awake(context: Context, progress: Progress, onlyLook: boolean): Promise<boolean> {
  const container = await ownContainer(context);
  if (!container) return false;
  if (container.state !== 'running' && onlyLook) {
    throw new UserError(`The node container ${context.node} is ${container.state}, so nobody can say what is in it.`, {
      hint: `docker start ${context.node}; npm run reset without --dry-run starts it by itself.`,
    });
  }
  const lost = isLost(container);
  const woken = lost ? [] : await wake(context, container);
  for (const what of woken) progress.note(what);
  if (lost || !(await finishedAt(context))) {
    throw new UserError(`The cluster ${context.config.clusterName} is half created: there is nothing to reset.`, {
      hint: 'npm run up makes it anew; npm run down deletes it.',
    });
  }
  await reach(context);
  if (woken.length > 0) await untilNodeReports(context);
  return true;
}
