import { parseDocument } from 'yaml';
import type { Context } from '../../images/context.ts';
import { localValueFiles } from '../../repository/applications.ts';
import { chartFile, commitFiles, commitsHindrance, deployCommit, registrationOf } from './commits.ts';
import { autoscalerOf, deploymentOf, readyPods, waitForState } from './service-state.ts';

/** The fewest pods of which one serves while the other does not. */
const pair = 2;

/** Why a service can't be given a second pod, or undefined where it can or has one. */
export async function noSecondPod(context: Context, service: string): Promise<string | undefined> {
  if ((await fewest(context, service)) >= pair) return undefined;
  const none = await commitsHindrance(context);
  return none && `${service} may have a single pod, and for a second one ${none}`;
}

/**
 * Makes sure that two pods of a service serve. Where a single one is enough, a commit asks for the second.
 * @throws UserError where they do not serve by the context's deadline.
 */
export async function haveTwo(context: Context, drill: string, service: string): Promise<void> {
  if ((await fewest(context, service)) < pair) {
    const file = localValueFiles(await registrationOf(context, service), context.config.environment).at(-1) ?? '';
    const values = parseDocument(await chartFile(context, service, file));
    values.setIn(['replicaCount'], pair);
    values.setIn(['autoscaling', 'minReplicas'], pair);
    const commit = await commitFiles(context, service, `Run ${service} with ${pair} pods`, {
      [file]: values.toString(),
    });
    await deployCommit(context, drill, service, commit);
  }
  await waitForState(context, async () => {
    const serving = (await readyPods(context, service)).length;
    return serving >= pair ? undefined : `${serving} of ${pair} pods of ${service} serve`;
  });
}

/** The number of pods that the service has at least, also when there is nothing to do. */
async function fewest(context: Context, service: string): Promise<number> {
  const [autoscaler, deployment] = await Promise.all([autoscalerOf(context, service), deploymentOf(context, service)]);
  return (autoscaler ? autoscaler.spec.minReplicas : deployment?.spec.replicas) ?? 1;
}
