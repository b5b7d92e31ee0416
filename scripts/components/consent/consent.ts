import { assertClusterAdmin, describeTarget } from '../../cluster/existing-cluster.ts';
import { applyMarker, readMarker } from '../../cluster/territory.ts';
import type { Context } from '../../images/context.ts';
import { UsageError, UserError } from '../../lib/errors.ts';
import { askWhether, type Terminal } from '../../lib/terminal/prompt.ts';
import { demandImages } from './images.ts';
import { refuseStrangers } from './strangers.ts';

interface Means {
  /** Where somebody sits who can be asked. */
  terminal: Terminal | undefined;
  /** Whether it was said already that it is meant. */
  yes: boolean;
  say(line: string): void;
}

/**
 * Says which cluster everything is about to be applied to, and makes sure that it is meant and can be: that nothing of
 * somebody else's would be overwritten, that the login may do it, that the services' images can be pulled. Asked is once for a
 * cluster; afterwards a mark in it says so. Throws a `UsageError` before anything is changed there, and hands back false
 * where somebody said no.
 */
export async function agree(context: Context, { terminal, yes, say }: Means): Promise<boolean> {
  const where = await describeTarget(context);
  say(`Everything is to be applied to ${where}.`);
  const known = (await readMarker(context)) !== undefined;
  await assertClusterAdmin(context);
  await refuseStrangers(context);
  await demandImages(context, say);
  if (known) return true;
  if (!yes && !terminal)
    throw new UsageError(
      `Nobody has agreed yet that the platform be brought into ${where}, and there is no terminal to ask at.`,
      'npm run up -- --yes brings it there, if that is the cluster which is meant.',
    );
  if (!yes && terminal && !(await askWhether(terminal, `Bring the platform into ${where}?`))) return false;
  await applyMarker(context);
  return true;
}

/** What `up` ends with where somebody said no. */
export function declined({ kubeContext }: Context): UserError {
  return new UserError(`Nothing was changed in the cluster of the context ${kubeContext}.`, {
    hint: 'TARGET_CONTEXT in .env names the cluster; without it, npm run up makes one of kind.',
  });
}
