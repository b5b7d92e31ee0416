import { applicationNames, isTracked } from '../cluster/ownership.ts';
import type { Context } from '../images/context.ts';
import type { KubeObject } from '../kubernetes/objects.ts';
import { runningObjectsOf } from '../kubernetes/waiting/deletion.ts';

const kinds = [
  ['apps/v1', 'Deployment'],
  ['apps/v1', 'StatefulSet'],
  ['apps/v1', 'DaemonSet'],
  ['batch/v1', 'Job'],
] as const;

/**
 * Tells the pods that an Application of the platform brought from those that somebody started in the same namespace.
 * @returns Those of the pods that run for a workload which carries the tracking ID of one of the platform's Applications.
 */
export async function deployedPods<T extends KubeObject>(context: Context, pods: readonly T[]): Promise<T[]> {
  if (pods.length === 0) return [];
  const [names, ...lists] = await Promise.all([
    applicationNames(context),
    ...kinds.map(([apiVersion, kind]) => context.api().listMetadata(apiVersion, kind)),
  ]);
  const running = await runningObjectsOf(
    context,
    lists.flat().filter((workload) => isTracked(workload, names)),
  );
  const uids = new Set(running.pods.map(({ metadata }) => metadata.uid));
  return pods.filter(({ metadata }) => uids.has(metadata.uid));
}
