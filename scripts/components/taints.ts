import type { Context } from '../context.ts';
import type { KubeObject } from '../lib/objects.ts';
import { nearlyFull, outOfMemory } from '../lib/trouble.ts';

interface Node extends KubeObject {
  spec: { taints?: { key: string; effect: string }[] };
}

/**
 * What keeps new pods away from the cluster's only node, by the names of its taints, and what to do about the first that is
 * known (https://kubernetes.io/docs/reference/labels-annotations-taints/). Since Kubernetes 1.34 the scheduler only says that
 * there are some. Never throws for what can't be told.
 */
export async function taintsOf({ api, node }: Context): Promise<{ names: string[]; remedy: string | undefined }> {
  const nodes = await api()
    .list<Node>('v1', 'Node')
    .catch((): Node[] => []);
  const taints = nodes.flatMap(({ spec }) => spec.taints ?? []).filter(({ effect }) => effect !== 'PreferNoSchedule');
  const names = [...new Set(taints.map(({ key }) => key))];
  const logs = `docker logs ${node} may tell why the node is not ready; npm run down && npm run up starts afresh.`;
  const remedies: Record<string, string> = {
    'node.kubernetes.io/disk-pressure': nearlyFull,
    'node.kubernetes.io/memory-pressure': outOfMemory,
    'node.kubernetes.io/unschedulable': `Somebody cordoned the node: kubectl uncordon ${node}`,
    'node.kubernetes.io/not-ready': logs,
    'node.kubernetes.io/unreachable': logs,
  };
  return { names, remedy: names.map((name) => remedies[name]).find((remedy) => remedy !== undefined) };
}
