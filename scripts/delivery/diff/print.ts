import { styleText } from 'node:util';
import { titleOf } from '../../kubernetes/objects.ts';
import { counted } from '../../lib/text.ts';
import type { ApplicationDiff } from './applications.ts';
import type { Failure, ObjectChange, ObjectComparison } from './compare.ts';
import type { ComponentDiff, DiffReport } from './report.ts';
import type { Restart } from './restart.ts';

type Colour = 'red' | 'green' | 'cyan' | 'yellow' | 'bold';
type Paint = (colour: Colour, text: string) => string;

const signs = { create: '+', change: '~', prune: '-' } as const;
const colours = { create: 'green', change: 'yellow', prune: 'red' } as const;

/** The report as a person reads it; coloured where they look at a terminal. */
export function diffPage(report: DiffReport, coloured: boolean): string {
  const paint: Paint = (colour, text) => (coloured ? styleText(colour, text, { validateStream: false }) : text);
  const { applications, up, notes } = report;
  const lines = applications.flatMap((application) => applicationLines(application, paint));
  if (lines.at(-1) !== '') lines.push('');
  if (up.length > 0) {
    lines.push(paint('bold', 'npm run up would change, for Argo CD does not look after it:'), '');
    lines.push(...up.flatMap((component) => componentLines(component, paint)));
  }
  return [...lines, ...notes.map((note) => `! ${note}`), ...verdict(report)].join('\n');
}

function applicationLines(application: ApplicationDiff, paint: Paint): string[] {
  const { name, changes, refused, error, kept, hooks, notes } = application;
  const quiet = changes.length + refused.length + kept.length === 0 && error === undefined;
  return [
    paint('bold', `Application ${name}${quiet ? ': nothing would change' : ''}`),
    ...notes.map((note) => `  ! ${note}`),
    ...failureLines(error, paint),
    ...comparisonLines(application, paint),
    ...kept.map(({ because, ...object }) => `  ! ${titleOf(object)} is no longer rendered, and stays: ${because}.`),
    ...hooks.map(({ phases, ...object }) => `  > ${titleOf(object)} would be run (${phases.join(', ')})`),
    ...(quiet && notes.length === 0 ? [] : ['']),
  ];
}

function componentLines(component: ComponentDiff, paint: Paint): string[] {
  return [
    paint('bold', component.component),
    ...failureLines(component.error, paint),
    ...comparisonLines(component, paint),
    '',
  ];
}

function failureLines(error: Failure | undefined, paint: Paint): string[] {
  if (!error) return [];
  const hint = error.hint === undefined ? [] : [`    → ${error.hint}`];
  return [...indented(paint('red', `✖ ${error.message}`), '  '), ...hint];
}

function comparisonLines({ changes, refused }: ObjectComparison, paint: Paint): string[] {
  // A promotion changes one label of every object: it is shown at the first of them.
  const shown = new Map<string, ObjectChange>();
  return [
    ...changes.flatMap((change) => {
      const lines = changedLines(change);
      const first = lines === '' ? undefined : shown.get(lines);
      if (!first) shown.set(lines, change);
      return changeLines(change, first, paint);
    }),
    ...refused.flatMap(({ reason, ...object }) =>
      indented(paint('red', `✖ ${titleOf(object)} would be refused: ${reason}`), '  '),
    ),
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
  const does = { create: 'would be created', change: 'would change', prune: 'would be pruned' }[action];
  return [
    `  ${paint(colours[action], `${signs[action]} ${titleOf(object)}`)} ${does}${like ? `, as ${titleOf(like)}` : ''}`,
    ...(restart ? [`    ${paint('yellow', restartSentence(restart))}`] : []),
    ...(diff === '' || like ? [] : diff.split('\n').map((line) => `    ${diffLine(line, paint)}`)),
  ];
}

function restartSentence({ pods, reasons }: Restart): string {
  return `${counted(pods, 'pod')} would restart: ${reasons.join(', ')}`;
}

function diffLine(line: string, paint: Paint): string {
  if (line.startsWith('@@')) return paint('cyan', line);
  if (line.startsWith('+')) return paint('green', line);
  return line.startsWith('-') ? paint('red', line) : line;
}

function verdict({ differs, complete, applications, up }: DiffReport): string[] {
  const changes = [...applications, ...up].flatMap((part) => part.changes);
  const number = (action: ObjectChange['action'], word: string) => {
    const found = changes.filter((change) => change.action === action).length;
    return found === 0 ? [] : [`${found} would ${word}`];
  };
  const pods = changes.reduce((sum, { restart }) => sum + (restart?.pods ?? 0), 0);
  const parts = [
    ...number('create', 'be created'),
    ...number('change', 'change'),
    ...number('prune', 'be pruned'),
    ...(pods === 0 ? [] : [`${counted(pods, 'pod')} would restart`]),
  ];
  return [
    differs ? `${parts.join(', ')}.` : complete ? 'Nothing would change.' : 'No change was found in the rest.',
    ...(complete ? [] : ['Not everything could be compared: see ✖ above.']),
  ];
}

function indented(text: string, by: string): string[] {
  return text.split('\n').map((line, index) => `${by}${index === 0 ? '' : '  '}${line}`);
}
