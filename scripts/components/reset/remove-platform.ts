import type { Component } from '../../cluster/component.ts';
import type { Context } from '../../images/context.ts';
import type { DiscoveredObject } from '../../kubernetes/api/discovery.ts';
import { startStopwatch } from '../../lib/deadline.ts';
import { WaitTimeout, waitUntil } from '../../lib/retry.ts';
import { assertNoFailures, runGraph, type Task } from '../../lib/tasks.ts';
import { type Progress, timed } from '../../lib/terminal/progress.ts';
import { allComponents } from '../index.ts';
import { type Inventory, platformObjects, takeInventory } from '../inventory.ts';
import { removeObjects } from '../removal.ts';

export interface Options {
  /** Whether what somebody put there by hand goes as well. */
  all: boolean;
  progress: Progress;
  /** All components there are, unless others are given. */
  components?: readonly Component[];
}

/** What is to go of an inventory. */
export function doomedOf(inventory: Inventory, all: boolean): DiscoveredObject[] {
  return [...platformObjects(inventory), ...(all ? inventory.byHand : [])];
}

/**
 * Removes every component that the inventory has something of, as soon as nothing stands on it any more, and then looks
 * what is left. Hands back the inventory of afterwards. Throws a `UserError` for what does not go away.
 */
export async function removePlatform(context: Context, before: Inventory, options: Options): Promise<Inventory> {
  const { all, progress, components = allComponents() } = options;
  const kept = all ? [] : [...before.byHand, ...before.holders];
  const counts = new Map(before.platform.map(({ component, objects }) => [component, objects.length]));
  const first = all && before.byHand.length > 0 ? [removalByHand(context, before.byHand, progress)] : [];
  const tasks = inReverse(components).map(({ name, needs, remove }) => ({
    name,
    needs: [...first.map((task) => task.name), ...needs],
    run: async () => {
      const count = counts.get(name);
      if (remove && count) await timed(progress, name, () => remove(context, kept), removed(count));
    },
  }));
  assertNoFailures(await runGraph([...first, ...tasks]));
  return timed(progress, 'looking for leftovers', () => leftAfter(context, { all, components }));
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
    run: async () => void (await timed(progress, name, () => removeObjects(context, objects), removed(objects.length))),
  };
}

/** Milliseconds that Kubernetes gets to begin to collect what has lost its owner. */
const collection = 30_000;

/**
 * Looks until nothing is left, and removes what it still finds: objects of earlier versions, or made again meanwhile. What
 * terminates gets all the time that a step may take.
 */
async function leftAfter(
  context: Context,
  options: { all: boolean; components: readonly Component[] },
): Promise<Inventory> {
  let found = await takeInventory(context, options);
  const waited = startStopwatch();
  const look = async () => {
    const doomed = doomedOf(found, options.all);
    const left = [...doomed, ...found.orphans];
    const terminates = left.every(({ metadata }) => metadata.deletionTimestamp !== undefined);
    if (left.length === 0 || (!terminates && waited() > collection)) return undefined;
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

function removed(count: number): () => string {
  return () => `${count} removed`;
}
