import { cluster } from '../../cluster/cluster.ts';
import type { Context } from '../../images/context.ts';
import { UserError } from '../../lib/errors.ts';
import { gather, type Report } from '../status.ts';
import { forgetBadRollout, removeBadImage } from './bad-release.ts';
import { untilSeen } from './looking.ts';
import { backToGit, registerAnew } from './release.ts';

/** Puts right what a drill left that was killed, and hands back the names of its Applications. */
export async function putRight(context: Context): Promise<string[]> {
  // Where there is no cluster, that is said by what comes next.
  if ((await cluster.status(context)).state !== 'ready') return [];
  const names = await registerAnew(context);
  if (names.length === 0) return [];
  await backToGit(context);
  await forgetBadRollout(context);
  await removeBadImage(context);
  return names;
}

/** Milliseconds that what is only settling may take: a pod that an autoscaler has just made is seen with the next scrape or two. */
const settling = 30_000;

/**
 * Makes sure that all is well, as `status` has it, soon or within the context's deadline. Throws a `UserError` that says
 * what is not: nothing that a drill shows on a cluster in trouble would tell anything.
 */
export async function allWell(context: Context, how?: 'patiently'): Promise<void> {
  let trouble: string | undefined;
  const look = async () => {
    trouble = troubleIn(await gather(context));
    return trouble;
  };
  if (how) return void (await untilSeen(context, look));
  try {
    await untilSeen({ ...context, timeout: Math.min(context.timeout, settling) }, look);
  } catch (error) {
    if (!(error instanceof UserError) || trouble === undefined) throw error;
    throw new UserError(`Not all is well, and a drill would tell nothing: ${trouble}.`, {
      hint: 'npm run up puts right what is missing; npm run status shows it.',
      cause: error,
    });
  }
}

/** The first thing that is not well, or undefined. */
function troubleIn({ ok, components, targets, credentials }: Report): string | undefined {
  if (ok) return undefined;
  const component = components.find(({ state }) => state !== 'ready');
  if (component && component.state !== 'ready') return `${component.name}: ${component.missing}`;
  const [target] = targets.down;
  if (target) return `Prometheus does not see ${target.name}: ${target.error}`;
  return credentials.state === 'refused' ? credentials.message : 'something was changed by hand';
}
