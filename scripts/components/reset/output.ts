import type { Invocation } from '../../config/config.ts';
import type { Context } from '../../images/context.ts';
import { type KubeObject, nameOf } from '../../kubernetes/objects.ts';
import { ExitCode } from '../../lib/errors.ts';
import type { Progress } from '../../lib/terminal/progress.ts';
import type { ClusterInventory } from './inventory.ts';

/** '1 object', '2 objects'. */
export function objectCount(objects: readonly unknown[]): string {
  return objects.length === 1 ? '1 object' : `${objects.length} objects`;
}

/** What would go, object by object, and what would stay. What these own goes and stays with them. */
export function previewLines(cluster: string, inventory: ClusterInventory, all: boolean, target?: string): string[] {
  const groups = [
    ...inventory.platform.map(({ component, objects }) => ({ title: component ?? 'of earlier versions', objects })),
    ...(all && inventory.byHand.length > 0 ? [{ title: 'put there by hand', objects: inventory.byHand }] : []),
  ];
  if (groups.length === 0) return [nothingToRemove(cluster), ...keptLines(inventory, all, target)];
  const objects = groups.flatMap((group) => group.objects);
  return [
    `Would be removed from the cluster ${cluster}: ${objectCount(objects)}, with what they own.`,
    ...groups.flatMap((group) => [`${group.title} (${group.objects.length})`, ...nameLines(group.objects)]),
    ...keptLines(inventory, all, target),
  ];
}

/** What stays, object by object, and how to have it go; on a cluster that others use as well, they alone take it away. */
export function keptLines({ byHand, holders }: ClusterInventory, all: boolean, target?: string): string[] {
  if (all || byHand.length === 0) return [];
  return [
    `Kept, because it was put there by hand${target === undefined ? ' (npm run reset -- --all removes it, too)' : ''}:`,
    ...nameLines(byHand),
    ...(holders.length > 0 ? ['Kept for what is in it:', ...nameLines(holders)] : []),
  ];
}

/** What a person is asked before anything is removed. */
export function confirmationQuestion(
  cluster: string,
  doomed: readonly KubeObject[],
  { byHand }: ClusterInventory,
  all: boolean,
): string {
  const ours = objectCount(all ? doomed.slice(0, doomed.length - byHand.length) : doomed);
  if (byHand.length === 0) return `Remove the platform from the cluster ${cluster} (${ours})?`;
  return all
    ? `Remove the platform (${ours}) and what was put by hand (${objectCount(byHand)}) from the cluster ${cluster}?`
    : `Remove the platform from the cluster ${cluster} (${ours}), and keep what was put there by hand (${objectCount(byHand)})?`;
}

export function nothingToRemove(cluster: string): string {
  return `Nothing to remove: the cluster ${cluster} has nothing of the platform.`;
}

/** A line for each object. */
export function nameLines(objects: readonly KubeObject[]): string[] {
  return objects.map((object) => `  ${nameOf(object)}`);
}

/** Whether somebody, or a flag, says that it is meant. */
export type Confirm = (message: string) => Promise<boolean>;

/** What each way to reset is given. */
export interface ResetOptions {
  invocation: Invocation;
  context: Context;
  confirm: Confirm;
  progress: Progress;
}

/** Says that nothing was done, because somebody said no. */
export function resetDeclined({ flags, print }: Invocation): ExitCode {
  print(flags.json ? prettyJson({ removed: [], kept: [], left: [] }) : 'Nothing was removed.');
  return ExitCode.failed;
}

/** A result for a program. */
export function prettyJson(value: object): string {
  return JSON.stringify(value, undefined, 2);
}
