import { columns } from '../../lib/text.ts';
import type { Comparison } from './differences.ts';
import type { Drill } from './drill.ts';
import type { Shown } from './show.ts';

/** What will be done, drill by drill. */
export function planLines(drills: readonly Drill[]): string[] {
  return columns(drills.map(({ name, promise }) => [name, `${promise}.`] as const));
}

/** A result, in one line. */
export function shownLine(shown: Shown): string {
  if (shown.held === undefined) return `- ${shown.promise}: not shown, for ${shown.skipped}`;
  return `${shown.held ? '✔' : '✖'} ${shown.promise}  ${shown.seconds.toFixed(1)} s  ${shown.evidence}`;
}

/** What all of them come to, and whether all is as it was. */
export function verdictLines(
  all: readonly Shown[],
  { differences, compared, note }: Comparison,
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
