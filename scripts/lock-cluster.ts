import { join } from 'node:path';
import type { Config } from './config.ts';
import { lock } from './lib/lock.ts';

/** Lets one command at a time change this cluster. Hands back how to unlock it. Throws a `UsageError` naming the other. */
export function lockCluster({ root, clusterName }: Config): () => void {
  // Beside the cluster's folder, not in it: that folder is deleted together with the cluster.
  return lock(join(root, '.state', `${clusterName}.lock`), `the cluster ${clusterName}`);
}
