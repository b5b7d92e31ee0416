import type { Component } from '../../cluster/component.ts';
import type { Invocation } from '../../config/config.ts';
import type { Context } from '../../images/context.ts';
import { type Named, namedOf } from '../../kubernetes/objects.ts';
import { ExitCode } from '../../lib/errors.ts';
import { startStopwatch, waitUntil } from '../../lib/retry.ts';
import { assertNoFailures, runGraph } from '../../lib/tasks.ts';
import { type Progress, timed } from '../../lib/terminal/progress.ts';
import { counted } from '../../lib/text.ts';
import { removeApplications } from '../applications-removal.ts';
import { allComponents } from '../index.ts';
import { removeObjects } from '../removal.ts';
import {
  byHandTitle,
  confirmationQuestion,
  keptLines,
  nameLines,
  objectsToRemove,
  planReset,
  type ResetPlan,
  resetLines,
} from './plan.ts';

export interface ResetOptions {
  invocation: Invocation;
  context: Context;
  /** Asks whether it is meant. */
  confirm(question: string): Promise<boolean>;
  progress: Progress;
}

/** What is removed once no object of the platform is left, in a cluster that others run: its mark, and what is on this machine. */
export interface Rest {
  items: readonly Named[];
  remove(): Promise<void>;
}

/**
 * Removes the platform from the cluster, or lists what that would remove, and prints what came of it.
 * @throws UserError for what does not go away.
 */
export async function resetPlatform(options: ResetOptions & { rest?: Rest }): Promise<ExitCode> {
  const { invocation, context, confirm, progress, rest } = options;
  const { config, flags, print } = invocation;
  const all = flags.all === true;
  const started = performance.now();
  const plan = await planReset(context, { all });
  const doomed = objectsToRemove(plan);
  const kept = [...plan.byHand, ...plan.holders].map(namedOf);
  const tell = (result: object, lines: readonly string[]) => print(flags.json ? prettyJson(result) : lines.join('\n'));
  if (flags['dry-run']) {
    const besides = rest?.items ?? [];
    const lines = besides.map(({ kind, name }) => `  ${kind === 'file' ? name : `${kind} ${name}`}`);
    if (lines.length > 0) lines.unshift(`and then (${lines.length})`);
    tell({ wouldRemove: [...doomed.map(namedOf), ...besides], kept }, [...resetLines(config, plan), ...lines]);
    return ExitCode.done;
  }
  if (doomed.length === 0 && plan.orphans.length === 0 && !rest) {
    tell({ removed: [], kept, left: [] }, resetLines(config, plan));
    return ExitCode.done;
  }
  // Nothing has to be confirmed where something is only waited for.
  if (doomed.length > 0 && !(await confirm(confirmationQuestion(config, plan)))) return resetDeclined(invocation);
  const after = await executeReset(context, plan, { all, progress });
  const left = [...objectsToRemove(after), ...after.orphans];
  // While something of the platform is there, the mark says so.
  const whole = left.length === 0 && after.holders.length === 0;
  if (whole) await rest?.remove();
  progress.stop();
  const there = new Set(left.map(({ metadata }) => metadata.uid));
  const removed = doomed.filter(({ metadata }) => !there.has(metadata.uid));
  const took = Math.round(performance.now() - started) / 1000;
  const where = config.target === undefined ? config.clusterName : `of the context ${config.target}`;
  const end = rest ? 'The cluster itself is as it was.' : 'npm run up brings the platform back.';
  tell({ removed: removed.map(namedOf), kept, left: left.map(namedOf), seconds: took }, [
    `Removed from the cluster ${where}: ${counted(removed.length, 'object')}, with what they owned (${took.toFixed(1)} s).`,
    ...keptLines(config, after),
    left.length === 0 ? `0 left. ${end}` : `${left.length} left:`,
    ...nameLines(left),
    ...(rest && !whole ? ['  → npm run down continues once that is gone.'] : []),
  ]);
  return left.length === 0 ? ExitCode.done : ExitCode.failed;
}

interface ExecuteOptions {
  all: boolean;
  progress: Progress;
  /** All components there are, unless others are given. */
  components?: readonly Component[];
}

/**
 * Carries out a plan: each step as soon as nothing needs any more what it removes. Then looks what is left.
 * @returns the plan that would remove the rest.
 * @throws UserError for what does not go away.
 */
export async function executeReset(context: Context, plan: ResetPlan, options: ExecuteOptions): Promise<ResetPlan> {
  const { progress, components = allComponents() } = options;
  const task = ({ name, needs, remove = removeObjects }: Pick<Component, 'name' | 'needs' | 'remove'>) => ({
    name,
    needs,
    run: async () => {
      const objects = plan.steps.find(({ title }) => title === name)?.objects ?? [];
      if (objects.length === 0) return;
      await timed(
        progress,
        name,
        () => remove(context, objects),
        () => `${objects.length} removed`,
      );
    },
  });
  // What you built on the platform, Applications included, goes before what it needs.
  const first = task({ name: byHandTitle, needs: [], remove: removeApplications });
  const others = inReverse(components).map((one) => task({ ...one, needs: [byHandTitle, ...one.needs] }));
  assertNoFailures(await runGraph([first, ...others]));
  return timed(progress, 'looking for leftovers', () => removeLeftovers(context, options));
}

/** The components with the last one first, each in need of those that need it. */
export function inReverse(components: readonly Component[]): Component[] {
  return components.toReversed().map((component) => ({
    ...component,
    needs: components.filter(({ needs }) => needs.includes(component.name)).map(({ name }) => name),
  }));
}

/** Milliseconds that Kubernetes gets to begin to collect what has lost its owner. */
const garbageCollectionMs = 30_000;

/**
 * Looks until nothing is left, and removes what it still finds: objects of earlier versions, or made again meanwhile. What
 * terminates gets all the time that a step may take.
 */
async function removeLeftovers(context: Context, options: ExecuteOptions): Promise<ResetPlan> {
  let found = await planReset(context, options);
  const waited = startStopwatch();
  const look = async () => {
    const doomed = objectsToRemove(found);
    const left = [...doomed, ...found.orphans];
    const terminates = left.every(({ metadata }) => metadata.deletionTimestamp !== undefined);
    if (left.length === 0 || (!terminates && waited() > garbageCollectionMs)) return undefined;
    await removeObjects(context, doomed);
    found = await planReset(context, options);
    return 'something is left';
  };
  await waitUntil(look, { timeout: context.timeout, signal: context.signal, every: 200 });
  return found;
}

/** Says that nothing was done, because the answer was no. */
export function resetDeclined({ flags, print }: Invocation): ExitCode {
  print(flags.json ? prettyJson({ removed: [], kept: [], left: [] }) : 'Nothing was removed.');
  return ExitCode.failed;
}

/** A result for a program. */
export function prettyJson(value: object): string {
  return JSON.stringify(value, undefined, 2);
}
