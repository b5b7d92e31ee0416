import { jsonIfThere } from './api/api.ts';
import type { ClusterContext } from './context.ts';
import type { KubeObject } from './objects.ts';

interface SecretContent {
  type: string;
  stringData: Record<string, string>;
}

/** What a Secret holds, each value as base64, or undefined where there is no such Secret. */
export async function readSecret(
  context: ClusterContext,
  { namespace, name }: { namespace: string; name: string },
): Promise<Partial<Record<string, string>> | undefined> {
  const path = `/api/v1/namespaces/${namespace}/secrets/${name}`;
  const secret = await jsonIfThere<{ data?: Record<string, string> }>(context.api(), path);
  return secret && (secret.data ?? {});
}

/**
 * Makes a Secret once in a cluster's life: one that is there stays as it is. `before` is applied with it, for the
 * namespace that it lives in. The content goes to kubectl on standard input. Returns the names of what it made.
 */
export async function ensureSecret(
  context: ClusterContext,
  metadata: { namespace: string; name: string },
  make: () => Promise<SecretContent> | SecretContent,
  before: readonly KubeObject[] = [],
): Promise<string[]> {
  const known = await context.api().listMetadata('v1', 'Secret');
  if (known.some((one) => one.metadata.name === metadata.name && one.metadata.namespace === metadata.namespace)) {
    return [];
  }
  const kubectl = await context.kubectl();
  return kubectl.apply([...before, { apiVersion: 'v1', kind: 'Secret', metadata, ...(await make()) }]);
}
