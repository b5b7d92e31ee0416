import { presence } from '../../cluster/cluster.ts';
import { ownContainer } from '../../cluster/node.ts';
import type { Context } from '../../images/context.ts';
import { UserError } from '../../lib/errors.ts';
import type { Progress } from '../../lib/terminal/progress.ts';
import { demandAwake } from '../waking.ts';

/**
 * Makes sure that the cluster can be asked, and starts it where it is stopped; false where there is none. Throws a
 * `UserError` for one that is half created, and for one that would have to be started only to look.
 */
export async function awake(context: Context, progress: Progress, onlyLook: boolean): Promise<boolean> {
  // What somebody else runs can't be started from here.
  if (context.target !== undefined) return (await presence(context)) !== undefined;
  const container = await ownContainer(context);
  if (!container) return false;
  if (container.state !== 'running' && onlyLook) {
    throw new UserError(`The node container ${context.node} is ${container.state}, so nobody can say what is in it.`, {
      hint: 'npm run start; npm run reset without --dry-run starts it by itself.',
    });
  }
  for (const what of await demandAwake(context, container)) progress.note(what);
  return true;
}
