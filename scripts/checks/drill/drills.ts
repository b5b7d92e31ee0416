import { columns, unknownWord } from '../../lib/text.ts';
import { badImageDrill, rollbackDrill } from './bad-release.ts';
import { nodeDrainDrill, podKillDrill } from './disruption.ts';
import type { Drill, DrillResult } from './drill.ts';
import { pruneDrill } from './prune.ts';
import { selfHealDrill } from './self-heal.ts';
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
export function selectDrills(drills: readonly Drill[], only: unknown): readonly Drill[] {
  if (typeof only !== 'string') return drills;
  const names = drills.map(({ name }) => name);
  const wanted = only.split(',').map((name) => name.trim());
  const unknown = wanted.find((name) => !names.includes(name));
  if (unknown !== undefined) throw unknownWord(`There is no drill "${unknown}".`, unknown, names);
  return drills.filter(({ name }) => wanted.includes(name));
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
