import type { Context } from '../../images/context.ts';
import { type KubeObject, namedOf, nameOf } from '../../kubernetes/objects.ts';
import { timeoutError, waitThroughOutages } from '../../kubernetes/waiting/api-server.ts';
import { ExitCode, UserError } from '../../lib/errors.ts';
import { type Progress, timed } from '../../lib/terminal/progress.ts';
import { counted } from '../../lib/text.ts';
import { applications } from '../applications.ts';
import { workloadsOf } from '../applications-removal.ts';
import { argoCd } from '../argo-cd.ts';
import { inCluster, removeObjects } from '../removal.ts';
import { services } from '../services.ts';
import { nameLines } from './plan.ts';
import { prettyJson, type ResetOptions, resetDeclined } from './reset.ts';

/** Has Argo CD recreate the workloads, or lists them, and prints what came of it. */
export async function resetWorkloads({ invocation, context, confirm, progress }: ResetOptions): Promise<ExitCode> {
  const { config, flags, print } = invocation;
  const started = performance.now();
  const workloads = await workloadsToRebuild(context);
  const count = counted(workloads.length, 'object');
  if (flags['dry-run']) {
    const lines = [`Would be deleted, and recreated by Argo CD: ${count}.`, ...nameLines(workloads)];
    print(flags.json ? prettyJson({ wouldRebuild: workloads.map(namedOf) }) : lines.join('\n'));
    return ExitCode.done;
  }
  const ask = `Delete what Argo CD deployed to ${config.clusterName} (${count}), and have it recreated?`;
  if (!(await confirm(ask))) return resetDeclined(invocation);
  await rebuildWorkloads(context, workloads, progress);
  progress.stop();
  const seconds = Math.round(performance.now() - started) / 1000;
  const done = `Argo CD has recreated all of it: ${count}, every service is ready (${seconds.toFixed(1)} s).`;
  print(flags.json ? prettyJson({ rebuilt: workloads.map(namedOf), seconds }) : done);
  return ExitCode.done;
}

/** What `reset --apps` deletes. Throws a `UserError` where Argo CD is not there to recreate it. */
async function workloadsToRebuild(context: Context): Promise<KubeObject[]> {
  const status = await argoCd.status(context);
  if (status.state !== 'ready') {
    throw new UserError(`Argo CD can't recreate the workloads: ${status.missing}.`, { hint: 'npm run up' });
  }
  const workloads = await workloadsOf(context);
  if (workloads.length > 0) return workloads;
  throw new UserError('There are no workloads: Argo CD has deployed nothing yet.', { hint: 'npm run up' });
}

/** Deletes what Argo CD deployed, and waits until all of it is recreated and ready. Throws a `UserError` with the reason. */
async function rebuildWorkloads(context: Context, workloads: readonly KubeObject[], progress: Progress): Promise<void> {
  await timed(progress, 'deleting the workloads', () => removeObjects(context, workloads));
  await timed(progress, 'waiting for Argo CD', () => waitUntilRecreated(context, workloads));
  for (const component of [applications, services])
    await timed(progress, component.name, () => component.apply(context));
}

async function waitUntilRecreated(context: Context, workloads: readonly KubeObject[]): Promise<void> {
  const old = new Set(workloads.map(({ metadata }) => metadata.uid));
  const look = async () => {
    const present = (await inCluster(context, workloads)).filter(({ metadata }) => !old.has(metadata.uid));
    const names = new Set(present.map(nameOf));
    const missing = workloads.find((object) => !names.has(nameOf(object)));
    return missing && `${nameOf(missing)} is not there again`;
  };
  const missing = await waitThroughOutages(context, look);
  if (missing !== undefined) throw await timeoutError(context, missing, 'npm run status shows what Argo CD says.');
}
