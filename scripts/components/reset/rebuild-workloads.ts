import type { Context } from '../../images/context.ts';
import { type KubeObject, nameOf } from '../../kubernetes/objects.ts';
import { timeoutError, toleratingOutages } from '../../kubernetes/waiting/api-server.ts';
import { UserError } from '../../lib/errors.ts';
import { WaitTimeout, waitUntil } from '../../lib/retry.ts';
import { type Progress, timed } from '../../lib/terminal/progress.ts';
import { applications } from '../applications.ts';
import { workloadsOf } from '../applications-removal.ts';
import { argoCd } from '../argo-cd.ts';
import { inCluster, removeObjects } from '../removal.ts';
import { services } from '../services.ts';

/** What `reset --apps` deletes. Throws a `UserError` where Argo CD is not there to build it anew. */
export async function rebuildable(context: Context): Promise<KubeObject[]> {
  const status = await argoCd.status(context);
  if (status.state !== 'ready') {
    throw new UserError(`Argo CD can't build the workloads anew: ${status.missing}.`, { hint: 'npm run up' });
  }
  const workloads = await workloadsOf(context);
  if (workloads.length > 0) return workloads;
  throw new UserError('There are no workloads: Argo CD has deployed nothing yet.', { hint: 'npm run up' });
}

/** Deletes what Argo CD deployed, and waits until all of it is there anew and ready. Throws a `UserError` with the reason. */
export async function rebuildWorkloads(
  context: Context,
  workloads: readonly KubeObject[],
  progress: Progress,
): Promise<void> {
  await timed(progress, 'deleting the workloads', () => removeObjects(context, workloads));
  await timed(progress, 'waiting for Argo CD', () => untilThereAgain(context, workloads));
  for (const component of [applications, services])
    await timed(progress, component.name, () => component.apply(context));
}

async function untilThereAgain(context: Context, workloads: readonly KubeObject[]): Promise<void> {
  const old = new Set(workloads.map(({ metadata }) => metadata.uid));
  const look = async () => {
    const present = (await inCluster(context, workloads)).filter(({ metadata }) => !old.has(metadata.uid));
    const names = new Set(present.map(nameOf));
    const missing = workloads.find((object) => !names.has(nameOf(object)));
    return missing && `${nameOf(missing)} is not there again`;
  };
  try {
    await waitUntil(toleratingOutages(context, look), { timeout: context.timeout, signal: context.signal });
  } catch (error) {
    if (!(error instanceof WaitTimeout)) throw error;
    throw await timeoutError(context, error.missing, 'npm run status shows what Argo CD says.');
  }
}
