import { startFinished } from '../cluster/kind.ts';
import type { Context } from '../images/context.ts';
import type { DockerContainer } from '../lib/docker/containers.ts';
import { UserError } from '../lib/errors.ts';

/** Wakes a cluster as `wakeFinished` does, and hands back what it did. Throws a `UserError` for one that is half created. */
export async function demandAwake(context: Context, container: DockerContainer): Promise<string[]> {
  const woken = await startFinished(context, container);
  if (woken) return woken;
  throw new UserError(`The cluster ${context.config.clusterName} is half created: there is nothing in it yet.`, {
    hint: 'npm run up makes it anew; npm run down deletes it.',
  });
}
