import { cluster } from '../../cluster/cluster.ts';
import type { Context } from '../../images/context.ts';
import { columns, unknownWord } from '../../lib/text.ts';
import { gatherStatus, type StatusReport } from '../status.ts';
import { badImageDrill, rollbackDrill } from './bad-release.ts';
import { drilledApplications } from './commits.ts';
import { nodeDrainDrill, podKillDrill } from './disruption.ts';
import { pruneDrill, selfHealDrill } from './drift.ts';
import type { Drill, DrillResult } from './drill.ts';
import { waitForState } from './service-state.ts';
import type { SnapshotComparison } from './snapshot.ts';

/** Every drill there is, in the order in which they are shown. */
export const drills: readonly Drill[] = [
  selfHealDrill,
  pruneDrill,
  badImageDrill,
  rollbackDrill,
  podKillDrill,
  nodeDrainDrill,
];

/** Those of the drills that `--only` names, in their own order; all where it names none. Throws a `UsageError`. */
export function selectDrills(only: unknown): readonly Drill[] {
  if (typeof only !== 'string') return drills;
  const names = drills.map(({ name }) => name);
  const wanted = only.split(',').map((name) => name.trim());
  const unknown = wanted.find((name) => !names.includes(name));
  if (unknown !== undefined) throw unknownWord(`There is no drill "${unknown}".`, unknown, names);
  return drills.filter(({ name }) => wanted.includes(name));
}

/** Repairs what a drill left that was killed, and returns the names of its Applications. */
export async function undoInterruptedDrill(context: Context): Promise<string[]> {
  // Where there is no cluster, that is said by what comes next.
  if ((await cluster.status(context)).state !== 'ready') return [];
  const left = await drilledApplications(context);
  if (left.length === 0) return [];
  for (const undo of new Set(drills.map((drill) => drill.undo))) await undo(context);
  await cleanUpAfter(drills, context);
  return left.map(({ metadata }) => metadata.name);
}

/** Removes what these drills share, which each of them leaves to the next. */
export async function cleanUpAfter(shown: readonly Drill[], context: Context): Promise<void> {
  for (const cleanUp of new Set(shown.map((drill) => drill.cleanUp))) await cleanUp?.(context);
}

/** Milliseconds that what is only settling may take: a pod that an autoscaler has just made is seen with the next scrape or two. */
export const settlingMs = 30_000;

/**
 * Waits until all is well, as `status` has it: on an unhealthy platform a drill would tell nothing.
 * @throws UserError that says what is not well after so many milliseconds
 */
export async function waitForHealth(context: Context, timeout: number): Promise<void> {
  await waitForState({ ...context, timeout: Math.min(timeout, context.timeout) }, async () => {
    const problem = problemIn(await gatherStatus(context));
    return problem && `the platform is unhealthy: ${problem}`;
  });
}

/** The first thing that is not well, or undefined. */
function problemIn({ ok, components, targets, credentials }: StatusReport): string | undefined {
  if (ok) return undefined;
  for (const component of components) if (component.state !== 'ready') return `${component.name}: ${component.missing}`;
  const [target] = targets.down;
  if (target) return `Prometheus does not see ${target.name}: ${target.error}`;
  return credentials.state === 'refused' ? credentials.message : 'something was changed by hand';
}

/** What will be done, drill by drill. */
export function planLines(drills: readonly Drill[]): string[] {
  return columns(drills.map(({ name, promise }) => [name, `${promise}.`] as const));
}

/** A result, in one line. */
export function resultLine(shown: DrillResult): string {
  if (shown.held === undefined) return `- ${shown.promise}: not shown, for ${shown.skipped}`;
  return `${shown.held ? '✔' : '✖'} ${shown.promise}  ${shown.seconds.toFixed(1)} s  ${shown.evidence}`;
}

/** What all of them come to, and whether all is as it was. */
export function summaryLines(
  all: readonly DrillResult[],
  { differences, compared, note }: SnapshotComparison,
  seconds: number,
): string[] {
  const tried = all.filter(({ held }) => held !== undefined);
  const kept = tried.filter(({ held }) => held).length;
  return [
    `${kept} of ${tried.length} promises held (${seconds.toFixed(1)} s).`,
    ...(note === undefined ? [] : [note]),
    differences.length === 0 ? `All is as it was: ${compared}.` : 'Not as it was before:',
    ...differences.map((difference) => `  ${difference}`),
  ];
}
