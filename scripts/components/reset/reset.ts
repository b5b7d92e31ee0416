import type { Component } from '../../cluster/component.ts';
import type { Invocation } from '../../config/config.ts';
import type { Context } from '../../images/context.ts';
import { type KubeObject, type Named, namedOf, nameOf } from '../../kubernetes/objects.ts';
import { timeoutError, waitThroughOutages } from '../../kubernetes/waiting/api-server.ts';
import { ExitCode, UserError } from '../../lib/errors.ts';
import { startStopwatch, waitUntil } from '../../lib/retry.ts';
import { assertNoFailures, runGraph } from '../../lib/tasks.ts';
import { type Progress, timed } from '../../lib/terminal/progress.ts';
import { counted } from '../../lib/text.ts';
import { applications } from '../applications.ts';
import { removeApplications, workloadsOf } from '../applications-removal.ts';
import { argoCd } from '../argo-cd.ts';
import { allComponents } from '../index.ts';
import { inCluster, removeObjects } from '../removal.ts';
import { services } from '../services.ts';
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

interface ResetOptions {
  invocation: Invocation;
  context: Context;
  /** Asks whether it is meant. */
  confirm(question: string): Promise<boolean>;
  progress: Progress;
  /** What is removed once no object of the platform is left, in a cluster that others run: its mark, and what is on this machine. `end` is said then. */
  rest?: { items: readonly Named[]; end: string; remove(): Promise<void> };
}

/**
 * Removes the platform from the cluster, or lists what that would remove, and prints what came of it.
 * @throws UserError for what does not go away.
 */
export async function resetPlatform(options: ResetOptions): Promise<ExitCode> {
  const { invocation, context, confirm, progress, rest } = options;
  const { config, flags } = invocation;
  const all = flags.all === true;
  const started = performance.now();
  const plan = await planReset(context, { all });
  const doomed = objectsToRemove(plan);
  const kept = [...plan.byHand, ...plan.holders].map(namedOf);
  if (flags['dry-run']) {
    const besides = rest?.items ?? [];
    const lines = besides.map(({ kind, name }) => `  ${kind === 'file' ? name : `${kind} ${name}`}`);
    if (lines.length > 0) lines.unshift(`and then (${lines.length})`);
    const wouldRemove = [...doomed.map(namedOf), ...besides];
    return printResult(invocation, { wouldRemove, kept }, [...resetLines(config, plan), ...lines]);
  }
  if (doomed.length === 0 && plan.orphans.length === 0 && !rest)
    return printResult(invocation, { ...nothingRemoved, kept }, resetLines(config, plan));
  // Nothing has to be confirmed where something is only waited for.
  if (doomed.length > 0 && !(await confirm(confirmationQuestion(config, plan)))) return printDeclined(invocation);
  const after = await executeReset(context, plan, { all, progress });
  const left = [...objectsToRemove(after), ...after.orphans];
  // While something of the platform is there, the mark says so.
  const whole = left.length === 0 && after.holders.length === 0;
  if (whole) await rest?.remove();
  progress.stop();
  const there = new Set(left.map(({ metadata }) => metadata.uid));
  const removed = doomed.filter(({ metadata }) => !there.has(metadata.uid)).map(namedOf);
  const seconds = Math.round(performance.now() - started) / 1000;
  const where = config.target === undefined ? config.clusterName : `of the context ${config.target}`;
  const end = rest?.end ?? 'npm run up brings the platform back.';
  printResult(invocation, { removed, kept, left: left.map(namedOf), seconds }, [
    `Removed from the cluster ${where}: ${counted(removed.length, 'object')}, with what they owned (${seconds.toFixed(1)} s).`,
    ...keptLines(config, after),
    left.length === 0 ? `0 left. ${end}` : `${left.length} left:`,
    ...nameLines(left),
    ...(rest && !whole ? ['  → npm run down continues once that is gone.'] : []),
  ]);
  return left.length === 0 ? ExitCode.done : ExitCode.failed;
}

/** What a program is told where nothing was removed. */
const nothingRemoved = { removed: [], kept: [], left: [] };

/** Prints a result: as JSON for a program, as lines otherwise. */
export function printResult({ flags, print }: Invocation, result: object, lines: readonly string[]): ExitCode {
  print(flags.json ? JSON.stringify(result, undefined, 2) : lines.join('\n'));
  return ExitCode.done;
}

/** Prints that there was nothing to remove in the cluster, and by `why` what was removed `here`, on this machine. */
export function printNothing(invocation: Invocation, why: string, here: readonly Named[] = []): ExitCode {
  const result = invocation.flags['dry-run'] ? { wouldRemove: here, kept: [] } : { ...nothingRemoved, removed: here };
  return printResult(invocation, result, [why]);
}

/** Prints that nothing was done, because the answer was no. */
export function printDeclined(invocation: Invocation): ExitCode {
  printResult(invocation, nothingRemoved, ['Nothing was removed.']);
  return ExitCode.failed;
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
  // What you built on the platform, Applications included, is removed before what it needs.
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

/** Has Argo CD recreate the workloads, or lists them, and prints what came of it. */
export async function resetWorkloads({ invocation, context, confirm, progress }: ResetOptions): Promise<ExitCode> {
  const started = performance.now();
  const workloads = await workloadsToRebuild(context);
  const count = counted(workloads.length, 'object');
  const named = workloads.map(namedOf);
  if (invocation.flags['dry-run'])
    return printResult(invocation, { wouldRebuild: named }, [
      `Would be deleted, and recreated by Argo CD: ${count}.`,
      ...nameLines(workloads),
    ]);
  const question = `Delete what Argo CD deployed to ${context.config.clusterName} (${count}), and have it recreated?`;
  if (!(await confirm(question))) return printDeclined(invocation);
  await timed(progress, 'deleting the workloads', () => removeObjects(context, workloads));
  await timed(progress, 'waiting for Argo CD', () => waitUntilRecreated(context, workloads));
  for (const one of [applications, services]) await timed(progress, one.name, () => one.apply(context));
  progress.stop();
  const seconds = Math.round(performance.now() - started) / 1000;
  return printResult(invocation, { rebuilt: named, seconds }, [
    `Argo CD has recreated all of it: ${count}, every service is ready (${seconds.toFixed(1)} s).`,
  ]);
}

/** What `reset --apps` deletes. Throws a `UserError` where Argo CD is not there to recreate it. */
async function workloadsToRebuild(context: Context): Promise<KubeObject[]> {
  const status = await argoCd.status(context);
  if (status.state !== 'ready')
    throw new UserError(`Argo CD can't recreate the workloads: ${status.missing}.`, { hint: 'npm run up' });
  const workloads = await workloadsOf(context);
  if (workloads.length > 0) return workloads;
  throw new UserError('There are no workloads: Argo CD has deployed nothing yet.', { hint: 'npm run up' });
}

async function waitUntilRecreated(context: Context, workloads: readonly KubeObject[]): Promise<void> {
  const old = new Set(workloads.map(({ metadata }) => metadata.uid));
  const look = async () => {
    const present = (await inCluster(context, workloads)).filter(({ metadata }) => !old.has(metadata.uid));
    const names = new Set(present.map(nameOf));
    const missing = workloads.find((object) => !names.has(nameOf(object)));
    return missing && `${nameOf(missing)} is not there again`;
  };
  const missing = await waitThroughOutages(context, look);
  if (missing !== undefined) throw await timeoutError(context, missing, 'npm run status shows what Argo CD says.');
}
