import { ExitCode } from '../../lib/errors.ts';
import { declined, json, type Means } from './means.ts';
import { rebuildable, rebuildWorkloads } from './rebuild-workloads.ts';
import { count, names, plain } from './words.ts';

/** Has Argo CD build the workloads anew, or lists them, and tells what came of it. */
export async function resetApps({ invocation, context, confirm, progress }: Means): Promise<ExitCode> {
  const { config, flags, print } = invocation;
  const started = performance.now();
  const workloads = await rebuildable(context);
  if (flags['dry-run']) {
    const lines = [`Would be deleted, and built anew by Argo CD: ${count(workloads)}.`, ...names(workloads)];
    print(flags.json ? json({ wouldRebuild: plain(workloads) }) : lines.join('\n'));
    return ExitCode.done;
  }
  const ask = `Delete what Argo CD deployed to ${config.clusterName} (${count(workloads)}), and have it built anew?`;
  if (!(await confirm(ask))) return declined(invocation);
  await rebuildWorkloads(context, workloads, progress);
  progress.stop();
  const seconds = Math.round(performance.now() - started) / 1000;
  const done = `Argo CD has built all of it anew: ${count(workloads)}, every service is ready (${seconds.toFixed(1)} s).`;
  print(flags.json ? json({ rebuilt: plain(workloads), seconds }) : done);
  return ExitCode.done;
}
