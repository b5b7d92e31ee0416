import { gitMount } from '../../cluster/node.ts';
import type { Config } from '../../config/config.ts';
import type { Context } from '../../images/context.ts';
import { findContainersByLabel } from '../../lib/docker/containers.ts';
import { clusterItems, clusterLabel, imageItems } from './docker.ts';
import { authorityItems, cacheItems, mergedContextItems, stateItems, trustItems } from './files.ts';
import type { CleanupItem, CleanupItems } from './items.ts';
import { forwardItems, orphanItems } from './processes.ts';

/** What a cluster that is not on this machine has here: processes, and the private kubeconfig. */
export function findLocalItems(config: Config): CleanupItem[] {
  return [...orphanItems(config), ...forwardItems(config), ...stateItems(config)];
}

/**
 * Finds all that belongs to this cluster; with `purge` also what this user's clusters share. Changes nothing.
 * @param options `withDocker: false` leaves out what only Docker can tell.
 * @throws UsageError where a cluster of that name is not of this checkout, or Docker does not answer.
 */
export async function findItems(
  context: Context,
  { purge, withDocker = true }: { purge: boolean; withDocker?: boolean },
): Promise<CleanupItems> {
  const { config } = context;
  const cluster = withDocker ? await clusterItems(context) : [];
  const processes = [...orphanItems(config), ...cluster, ...forwardItems(config)];
  const items = [...processes, ...mergedContextItems(context), ...stateItems(config)];
  if (!purge) return { items, notes: [] };
  const [images, trust, cache] = await Promise.all([
    withDocker ? imageItems(context) : { items: [], notes: [] },
    trustItems(context),
    cacheItems(config),
  ]);
  const others = (withDocker ? await findContainersByLabel(context.exec, clusterLabel) : [])
    .filter(({ name, binds }) => binds.has(gitMount) && name !== context.node)
    .map(({ name }) => name.replace(/-control-plane$/, ''));
  const shared = others.map(
    (name) => `The cluster ${name} needs npm run up afterwards, if it shares this certificate authority.`,
  );
  return {
    // The trust goes before the authority, by whose name it is found; the cache last, which knows what was pulled.
    items: [...items, ...images.items, ...trust.items, ...authorityItems(config), ...cache],
    notes: [...images.notes, ...trust.notes, ...shared],
  };
}
