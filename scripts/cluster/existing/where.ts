import { readFile } from 'node:fs/promises';
import type { Context } from '../../images/context.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { serverIn } from './kubeconfig.ts';

/** The cluster in words by which a person knows it: context, address, version, size. Throws where it does not answer. */
export async function describeTarget(context: Context): Promise<string> {
  const [version, nodes, kubeconfig] = await Promise.all([
    context.api().json<{ gitVersion: string }>('/version'),
    context.api().list<KubeObject>('v1', 'Node'),
    readFile(context.kubeconfig, 'utf8'),
  ]);
  const size = nodes.length === 1 ? '1 node' : `${nodes.length} nodes`;
  return `the cluster of the context ${context.kubeContext} (${serverIn(kubeconfig)}, Kubernetes ${version.gitVersion}, ${size})`;
}
