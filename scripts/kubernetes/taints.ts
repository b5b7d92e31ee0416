import type { Context } from './context.ts';
import { groundOf } from './explain/runtime.ts';
import type { KubeObject } from './objects.ts';

const unschedulable = 'node.kubernetes.io/unschedulable';

interface Node extends KubeObject {
  spec: { taints?: { key: string; effect: string }[] };
}

/**
 * What keeps new pods away from the cluster's nodes, by the names of its taints, and what to do about the first that is
 * known (https://kubernetes.io/docs/reference/labels-annotations-taints/). Since Kubernetes 1.34 the scheduler only says that
 * there are some. Never throws for what can't be told.
 */
export async function taintsOf(context: Context): Promise<{ names: string[]; remedy: string | undefined }> {
  const ground = groundOf(context);
  const nodes = await context
    .api()
    .list<Node>('v1', 'Node')
    .catch((): Node[] => []);
  const taints = nodes.flatMap(({ spec }) => spec.taints ?? []).filter(({ effect }) => effect !== 'PreferNoSchedule');
  const names = [...new Set(taints.map(({ key }) => key))];
  const cordoned = nodes.find(({ spec }) => spec.taints?.some(({ key }) => key === unschedulable))?.metadata.name;
  const logs = `${ground.tellsWhy(context)} the node is not ready; ${ground.lastResort}`;
  const remedies: Record<string, string> = {
    'node.kubernetes.io/disk-pressure': ground.diskFull ?? logs,
    'node.kubernetes.io/memory-pressure': ground.memoryFull ?? logs,
    [unschedulable]: `Somebody cordoned the node: kubectl uncordon ${cordoned}`,
    'node.kubernetes.io/not-ready': logs,
    'node.kubernetes.io/unreachable': logs,
  };
  return { names, remedy: names.map((name) => remedies[name]).find((remedy) => remedy !== undefined) };
}
