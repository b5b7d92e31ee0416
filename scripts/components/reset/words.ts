import { type KubeObject, nameOf } from '../../kubernetes/objects.ts';
import type { Inventory } from '../inventory.ts';

/** An object in a program's words. */
export interface Named {
  kind: string;
  namespace?: string;
  name: string;
}

/** Objects by kind, namespace and name. */
export function plain(objects: readonly KubeObject[]): Named[] {
  return objects.map(({ kind, metadata: { name, namespace } }) => ({
    kind,
    ...(namespace !== undefined && { namespace }),
    name,
  }));
}

/** '1 object', '2 objects'. */
export function count(objects: readonly unknown[]): string {
  return objects.length === 1 ? '1 object' : `${objects.length} objects`;
}

/** What would go, object by object, and what would stay. What these own goes and stays with them. */
export function preview(cluster: string, inventory: Inventory, all: boolean, target?: string): string[] {
  const groups = [
    ...inventory.platform.map(({ component, objects }) => ({ title: component ?? 'of earlier versions', objects })),
    ...(all && inventory.byHand.length > 0 ? [{ title: 'put there by hand', objects: inventory.byHand }] : []),
  ];
  if (groups.length === 0) return [nothing(cluster), ...keptLines(inventory, all, target)];
  const objects = groups.flatMap((group) => group.objects);
  return [
    `Would be removed from the cluster ${cluster}: ${count(objects)}, with what they own.`,
    ...groups.flatMap((group) => [`${group.title} (${group.objects.length})`, ...names(group.objects)]),
    ...keptLines(inventory, all, target),
  ];
}

/** What stays, object by object, and how to have it go; on a cluster that others use as well, they alone take it away. */
export function keptLines({ byHand, holders }: Inventory, all: boolean, target?: string): string[] {
  if (all || byHand.length === 0) return [];
  return [
    `Kept, because it was put there by hand${target === undefined ? ' (npm run reset -- --all removes it, too)' : ''}:`,
    ...names(byHand),
    ...(holders.length > 0 ? ['Kept for what is in it:', ...names(holders)] : []),
  ];
}

/** What a person is asked before anything is removed. */
export function question(cluster: string, doomed: readonly KubeObject[], { byHand }: Inventory, all: boolean): string {
  const ours = count(all ? doomed.slice(0, doomed.length - byHand.length) : doomed);
  if (byHand.length === 0) return `Remove the platform from the cluster ${cluster} (${ours})?`;
  return all
    ? `Remove the platform (${ours}) and what was put by hand (${count(byHand)}) from the cluster ${cluster}?`
    : `Remove the platform from the cluster ${cluster} (${ours}), and keep what was put there by hand (${count(byHand)})?`;
}

export function nothing(cluster: string): string {
  return `Nothing to remove: the cluster ${cluster} has nothing of the platform.`;
}

/** A line for each object. */
export function names(objects: readonly KubeObject[]): string[] {
  return objects.map((object) => `  ${nameOf(object)}`);
}
