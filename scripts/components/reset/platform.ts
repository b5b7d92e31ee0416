import type { Component } from '../../cluster/component.ts';
import type { Context } from '../../images/context.ts';
import type { DiscoveredObject } from '../../kubernetes/api/discovery.ts';
import { namedOf } from '../../kubernetes/objects.ts';
import { startStopwatch } from '../../lib/deadline.ts';
import { ExitCode } from '../../lib/errors.ts';
import { WaitTimeout, waitUntil } from '../../lib/retry.ts';
import { assertNoFailures, runGraph, type Task } from '../../lib/tasks.ts';
import { type Progress, timed } from '../../lib/terminal/progress.ts';
import { allComponents } from '../index.ts';
import { removeObjects } from '../removal.ts';
import { type ClusterInventory, platformObjects, takeInventory } from './inventory.ts';
import {
  confirmationQuestion,
  keptLines,
  nameLines,
  nothingToRemove,
  objectCount,
  prettyJson,
  previewLines,
  type ResetOptions,
  resetDeclined,
} from './output.ts';

/** Takes the platform off the cluster, or lists what that would take away, and tells what came of it. */
export async function resetPlatform({ invocation, context, confirm, progress }: ResetOptions): Promise<ExitCode> {
  const { config, flags, print } = invocation;
  const all = flags.all === true;
  const started = performance.now();
  const before = await takeInventory(context, { all });
  const doomed = objectsToRemove(before, all);
  const kept = all ? [] : [...before.byHand, ...before.holders];
  if (flags['dry-run']) {
    const plan = { wouldRemove: doomed.map(namedOf), kept: kept.map(namedOf) };
    print(flags.json ? prettyJson(plan) : previewLines(config.clusterName, before, all, config.target).join('\n'));
    return ExitCode.done;
  }
  if (doomed.length === 0 && before.orphans.length === 0) {
    const lines = [nothingToRemove(config.clusterName), ...keptLines(before, all, config.target)];
    print(flags.json ? prettyJson({ removed: [], kept: kept.map(namedOf), left: [] }) : lines.join('\n'));
    return ExitCode.done;
  }
  // What is only waited for needs nobody's word.
  if (doomed.length > 0 && !(await confirm(confirmationQuestion(config.clusterName, doomed, before, all))))
    return resetDeclined(invocation);
  const after = await removePlatform(context, before, { all, progress });
  progress.stop();
  const left = [...objectsToRemove(after, all), ...after.orphans];
  const there = new Set(left.map(({ metadata }) => metadata.uid));
  const removed = doomed.filter(({ metadata }) => !there.has(metadata.uid));
  const seconds = Math.round(performance.now() - started) / 1000;
  const lines = [
    `Removed from the cluster ${config.clusterName}: ${objectCount(removed)}, with what they owned (${seconds.toFixed(1)} s).`,
    ...keptLines(after, all, config.target),
    left.length === 0 ? '0 left. npm run up brings the platform back.' : `${left.length} left:`,
    ...nameLines(left),
  ];
  const result = { removed: removed.map(namedOf), kept: kept.map(namedOf), left: left.map(namedOf), seconds };
  print(flags.json ? prettyJson(result) : lines.join('\n'));
  return left.length === 0 ? ExitCode.done : ExitCode.failed;
}

interface RemovalOptions {
  /** Whether what somebody put there by hand goes as well. */
  all: boolean;
  progress: Progress;
  /** All components there are, unless others are given. */
  components?: readonly Component[];
}

/** What is to go of an inventory. */
export function objectsToRemove(inventory: ClusterInventory, all: boolean): DiscoveredObject[] {
  return [...platformObjects(inventory), ...(all ? inventory.byHand : [])];
}

/**
 * Removes every component that the inventory has something of, as soon as nothing stands on it any more, and then looks
 * what is left. Returns the inventory of afterwards. Throws a `UserError` for what does not go away.
 */
export async function removePlatform(
  context: Context,
  before: ClusterInventory,
  options: RemovalOptions,
): Promise<ClusterInventory> {
  const { all, progress, components = allComponents() } = options;
  const kept = all ? [] : [...before.byHand, ...before.holders];
  const counts = new Map(before.platform.map(({ component, objects }) => [component, objects.length]));
  const first = all && before.byHand.length > 0 ? [removalByHand(context, before.byHand, progress)] : [];
  const tasks = inReverse(components).map(({ name, needs, remove }) => ({
    name,
    needs: [...first.map((task) => task.name), ...needs],
    run: async () => {
      const count = counts.get(name);
      if (remove && count) await timed(progress, name, () => remove(context, kept), removedDetail(count));
    },
  }));
  assertNoFailures(await runGraph([...first, ...tasks]));
  return timed(progress, 'looking for leftovers', () => removeLeftovers(context, { all, components }));
}

/** The components with the last one first, each in need of those that need it. */
export function inReverse(components: readonly Component[]): Component[] {
  return components.toReversed().map((component) => ({
    ...component,
    needs: components.filter(({ needs }) => needs.includes(component.name)).map(({ name }) => name),
  }));
}

/**
 * What somebody built on the platform goes before what it stands on. Applications are left to the component that knows
 * how to wait for what they deployed.
 */
function removalByHand(context: Context, byHand: readonly DiscoveredObject[], progress: Progress): Task {
  const objects = byHand.filter(({ resource }) => resource !== 'applications' && resource !== 'appprojects');
  const name = 'put there by hand';
  return {
    name,
    needs: [],
    run: async () =>
      void (await timed(progress, name, () => removeObjects(context, objects), removedDetail(objects.length))),
  };
}

/** Milliseconds that Kubernetes gets to begin to collect what has lost its owner. */
const garbageCollectionMs = 30_000;

/**
 * Looks until nothing is left, and removes what it still finds: objects of earlier versions, or made again meanwhile. What
 * terminates gets all the time that a step may take.
 */
async function removeLeftovers(
  context: Context,
  options: { all: boolean; components: readonly Component[] },
): Promise<ClusterInventory> {
  let found = await takeInventory(context, options);
  const waited = startStopwatch();
  const look = async () => {
    const doomed = objectsToRemove(found, options.all);
    const left = [...doomed, ...found.orphans];
    const terminates = left.every(({ metadata }) => metadata.deletionTimestamp !== undefined);
    if (left.length === 0 || (!terminates && waited() > garbageCollectionMs)) return undefined;
    await removeObjects(context, doomed);
    found = await takeInventory(context, options);
    return 'something is left';
  };
  try {
    await waitUntil(look, { timeout: context.timeout, signal: context.signal, every: 200 });
  } catch (error) {
    if (!(error instanceof WaitTimeout)) throw error;
  }
  return found;
}

function removedDetail(count: number): () => string {
  return () => `${count} removed`;
}
