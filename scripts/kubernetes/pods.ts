import type { Context } from './context.ts';
import type { KubeObject } from './objects.ts';
import { type Pod, type Workload, workloadKinds } from './workloads.ts';

/** The pods of each workload among the objects that is to stay, so of no Job. Throws what the API server answers. */
export function podsBehind(context: Context, objects: readonly KubeObject[]): Promise<Pod[][]> {
  const workloads = objects.filter(({ kind }) => workloadKinds.has(kind) && kind !== 'Job') as Workload[];
  return Promise.all(workloads.map((workload) => context.view().podsOf(workload)));
}
