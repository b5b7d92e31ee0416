import { cluster } from '../../cluster/cluster.ts';
import type { Context } from '../../images/context.ts';
import { UserError } from '../../lib/errors.ts';
import { gatherStatus, type StatusReport } from '../status.ts';
import { removeBadImage, removeBadRollout } from './bad-release.ts';
import { restoreFromGit, restoreRegistrations } from './commits.ts';
import { waitForState } from './service-state.ts';

/** Repairs what a drill left that was killed, and returns the names of its Applications. */
export async function undoInterruptedDrill(context: Context): Promise<string[]> {
  // Where there is no cluster, that is said by what comes next.
  if ((await cluster.status(context)).state !== 'ready') return [];
  const names = await restoreRegistrations(context);
  if (names.length === 0) return [];
  await restoreFromGit(context);
  await removeBadRollout(context);
  await removeBadImage(context);
  return names;
}

/** Milliseconds that what is only settling may take: a pod that an autoscaler has just made is seen with the next scrape or two. */
const settlingMs = 30_000;

/**
 * Makes sure that all is well, as `status` has it, soon or within the context's deadline. Throws a `UserError` that says
 * what is not: nothing that a drill shows on a cluster in trouble would tell anything.
 */
export async function assertHealthy(context: Context, how?: 'patiently'): Promise<void> {
  let trouble: string | undefined;
  const look = async () => {
    trouble = problemIn(await gatherStatus(context));
    return trouble;
  };
  if (how) return void (await waitForState(context, look));
  try {
    await waitForState({ ...context, timeout: Math.min(context.timeout, settlingMs) }, look);
  } catch (error) {
    if (!(error instanceof UserError) || trouble === undefined) throw error;
    throw new UserError(`The platform is unhealthy, so a drill would tell nothing: ${trouble}.`, {
      hint: 'npm run up repairs it; npm run status shows it.',
      cause: error,
    });
  }
}

/** The first thing that is not well, or undefined. */
function problemIn({ ok, components, targets, credentials }: StatusReport): string | undefined {
  if (ok) return undefined;
  const component = components.find(({ state }) => state !== 'ready');
  if (component && component.state !== 'ready') return `${component.name}: ${component.missing}`;
  const [target] = targets.down;
  if (target) return `Prometheus does not see ${target.name}: ${target.error}`;
  return credentials.state === 'refused' ? credentials.message : 'something was changed by hand';
}
