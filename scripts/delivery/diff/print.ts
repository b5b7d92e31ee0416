import { styleText } from 'node:util';
import { titleOf } from '../../kubernetes/objects.ts';
import { counted } from '../../lib/text.ts';
import type { ObjectChange, ObjectComparison } from './compare.ts';
import type { ApplicationDiff, DiffReport } from './report.ts';

type Colour = 'red' | 'green' | 'cyan' | 'yellow' | 'bold';
type Paint = (colour: Colour, text: string) => string;

const actions = {
  create: { sign: '+', colour: 'green', would: 'be created' },
  change: { sign: '~', colour: 'yellow', would: 'change' },
  prune: { sign: '-', colour: 'red', would: 'be pruned' },
} as const;

/** The report as a person reads it; coloured where they look at a terminal. */
export function diffPage(report: DiffReport, coloured: boolean): string {
  const paint: Paint = (colour, text) => (coloured ? styleText(colour, text, { validateStream: false }) : text);
  const { applications, up, notes } = report;
  const lines = applications.flatMap((application) => applicationLines(application, paint));
  if (lines.at(-1) !== '') lines.push('');
  if (up.length > 0) {
    lines.push(paint('bold', 'npm run up would change, for Argo CD does not look after it:'), '');
    for (const part of up) lines.push(paint('bold', part.component), ...comparisonLines(part, paint), '');
  }
  return [...lines, ...notes.map((note) => `! ${note}`), ...verdict(report)].join('\n');
}

function applicationLines(application: ApplicationDiff, paint: Paint): string[] {
  const { name, changes, refused, error, kept, hooks, notes } = application;
  const quiet = changes.length + refused.length + kept.length === 0 && error === undefined;
  return [
    paint('bold', `Application ${name}${quiet ? ': nothing would change' : ''}`),
    ...notes.map((note) => `  ! ${note}`),
    ...comparisonLines(application, paint),
    ...kept.map(({ because, ...object }) => `  ! ${titleOf(object)} is no longer rendered, and stays: ${because}.`),
    ...hooks.map(({ phases, ...object }) => `  > ${titleOf(object)} would be run (${phases.join(', ')})`),
    ...(quiet && notes.length === 0 ? [] : ['']),
  ];
}

function comparisonLines({ error, changes, refused }: ObjectComparison, paint: Paint): string[] {
  // A promotion changes one label of every object: it is shown at the first of them.
  const shown = new Map<string, ObjectChange>();
  const failure = (text: string) =>
    paint('red', `✖ ${text}`)
      .split('\n')
      .map((line, index) => `${index === 0 ? '  ' : '    '}${line}`);
  return [
    ...(error ? failure(error.message) : []),
    ...(error?.hint === undefined ? [] : [`    → ${error.hint}`]),
    ...changes.flatMap((change) => {
      const lines = changedLines(change);
      const first = lines === '' ? undefined : shown.get(lines);
      if (!first) shown.set(lines, change);
      return changeLines(change, first, paint);
    }),
    ...refused.flatMap(({ reason, ...object }) => failure(`${titleOf(object)} would be refused: ${reason}`)),
  ];
}

/** What is taken away and added, whatever is around it. */
function changedLines({ action, diff = '' }: ObjectChange): string {
  const lines = diff.split('\n').filter((line) => /^[+-]/.test(line));
  return action === 'change' ? lines.map((line) => line[0] + line.slice(1).trim()).join('\n') : '';
}

function changeLines(
  { action, restart, diff = '', ...object }: ObjectChange,
  like: ObjectChange | undefined,
  paint: Paint,
): string[] {
  const { sign, colour, would } = actions[action];
  const title = paint(colour, `${sign} ${titleOf(object)}`);
  const restarts = restart && `${counted(restart.pods, 'pod')} would restart: ${restart.reasons.join(', ')}`;
  return [
    `  ${title} would ${would}${like ? `, as ${titleOf(like)}` : ''}`,
    ...(restarts ? [`    ${paint('yellow', restarts)}`] : []),
    ...(diff === '' || like ? [] : diff.split('\n').map((line) => `    ${diffLine(line, paint)}`)),
  ];
}

function diffLine(line: string, paint: Paint): string {
  if (line.startsWith('@@')) return paint('cyan', line);
  if (line.startsWith('+')) return paint('green', line);
  return line.startsWith('-') ? paint('red', line) : line;
}

function verdict({ differs, complete, applications, up }: DiffReport): string[] {
  const changes = [...applications, ...up].flatMap((part) => part.changes);
  const parts = Object.entries(actions).flatMap(([name, { would }]) => {
    const found = changes.filter(({ action }) => action === name).length;
    return found === 0 ? [] : [`${found} would ${would}`];
  });
  const pods = changes.reduce((sum, { restart }) => sum + (restart?.pods ?? 0), 0);
  if (pods > 0) parts.push(`${counted(pods, 'pod')} would restart`);
  return [
    differs ? `${parts.join(', ')}.` : complete ? 'Nothing would change.' : 'No change was found in the rest.',
    ...(complete ? [] : ['Not everything could be compared: see ✖ above.']),
  ];
}
