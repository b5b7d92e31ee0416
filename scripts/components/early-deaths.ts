import type { Context } from '../images/context.ts';
import { nodeContainer } from '../kubernetes/explain/runtime.ts';
import type { KubeObject } from '../kubernetes/objects.ts';
import { startDeleting } from '../kubernetes/waiting/deletion.ts';
import { type ContainerStatus, type Pod, podsOfWorkloads } from '../kubernetes/workloads.ts';
import { memoizePerContext } from '../repository/manifests.ts';

/** Milliseconds after the node's start in which a program may die of what is not there yet: the way to the API server. */
const early = 30_000;

const nodeStart = memoizePerContext(async (context) => (await nodeContainer(context))?.startedAt ?? Number.NaN);

/**
 * Replaces the pods of workloads in which a container died right after the node was started. When a node wakes, all its pods
 * start at once, some before kube-proxy, without which they find no API server; they end, and the kubelet lets them wait ten
 * seconds and more before the next try. A new pod need not wait. Throws a `UserError`.
 */
export async function replaceEarlyDead(context: Context, objects: readonly KubeObject[]): Promise<void> {
  // Of another's node it is not known when it started.
  if (context.target !== undefined) return;
  const replaced = objects.filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet');
  const pods = (await podsOfWorkloads(context, replaced)).flat();
  const waiting = pods.filter((pod) => deathsOf(pod).length > 0);
  if (waiting.length === 0) return;
  const started = await nodeStart(context);
  // Kubernetes tells whole seconds.
  const isEarly = (death: number) => death >= started - 1000 && death < started + early;
  const dead = waiting.filter((pod) => deathsOf(pod).every(isEarly));
  await startDeleting(
    context,
    dead.map(({ metadata }) => ({ apiVersion: 'v1', kind: 'Pod', metadata })),
    '--grace-period=1',
  );
}

/** When those containers of a pod died that wait for their next try, in milliseconds since 1970. */
function deathsOf({ status }: Pod): number[] {
  const all: ContainerStatus[] = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])];
  return all
    .filter(({ state }) => state.waiting?.reason === 'CrashLoopBackOff')
    .map(({ lastState }) => Date.parse(lastState?.terminated?.finishedAt ?? ''));
}
