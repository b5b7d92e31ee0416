import { cpus, release, totalmem } from 'node:os';
import { table } from '../../../scripts/lib/text.ts';
import { median } from '../../support/measured.ts';
import type { Sample } from './ways.ts';

/** All that was measured, in the order of the rows, and what each is held against. */
export interface Results {
  /** What the line to the registries is like. */
  line: string;
  date: string;
  machine: string;
  samples: Record<string, Sample[]>;
}

/** The row that all others are held against. */
export const yardstick = 'by hand';

/** The row of a warm `up`, and those of the parts that it can't be quicker than, each measured by itself. */
export const warm = 'up, warm';
export const parts = { kind: 'kind, alone', argoCd: 'Argo CD until all serve, alone' } as const;

/** A line about this machine. */
export function machine(docker: string): string {
  const [first] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  const kernel = `${process.platform} ${release().match(/^\d+\.\d+/)?.[0] ?? ''}`;
  return `${cpus().length} × ${first?.model.trim() || process.arch}, ${memory} GiB, ${kernel}, Docker ${docker}, Node ${process.version}`;
}

const head = ['', 'runs', 'median s', 'spread s', 'of by hand', 'node received MB', 'node memory MiB'];

/** A row for each thing that was measured. */
export function rowsOf({ samples }: Results): string[][] {
  const whole = secondsOf(samples, yardstick);
  return Object.entries(samples).map(([name, all]) => {
    const seconds = all.map((sample) => sample.seconds);
    const rest = (what: 'received' | 'memory') => {
      const values = all.flatMap((sample) => sample[what] ?? []);
      return values.length === 0 ? '' : median(values).toFixed(0);
    };
    const spread = `${Math.min(...seconds).toFixed(1)} to ${Math.max(...seconds).toFixed(1)}`;
    const ratio = (median(seconds) / whole).toFixed(2);
    return [name, `${all.length}`, median(seconds).toFixed(1), spread, ratio, rest('received'), rest('memory')];
  });
}

/** The median of a row, in seconds. */
function secondsOf(samples: Results['samples'], row: string): number {
  return median((samples[row] ?? []).map(({ seconds }) => seconds));
}

/** How a warm `up` compares with the parts that have to come one after the other; nothing where they were not measured. */
export function pathLines({ samples }: Results): string[] {
  const [kind, argoCd] = [parts.kind, parts.argoCd].map((row) => secondsOf(samples, row));
  const whole = (kind ?? Number.NaN) + (argoCd ?? Number.NaN);
  if (Number.isNaN(whole)) return [];
  const times = (secondsOf(samples, warm) / whole).toFixed(2);
  return [`A warm \`up\` takes ${times} times its critical path: ${parts.kind}, and then ${parts.argoCd}.`];
}

/** For a terminal. */
export function asText(results: Results): string {
  return [...table([head, ...rowsOf(results)]), ...pathLines(results)].join('\n');
}

/** For docs/benchmarks.md, under a heading of its own. */
export function asSection(results: Results): string {
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const lines = [head, head.map(() => '---'), ...rowsOf(results)].map(row);
  const path = pathLines(results).flatMap((text) => [text, '']);
  return [headingOf(results.line), '', `${results.date}, ${results.machine}.`, '', ...lines, '', ...path].join('\n');
}

/** The page with this section in place of the one of the same line, or behind the others. */
export function withSection(page: string, results: Results): string {
  const heading = headingOf(results.line);
  const sections = page.trimEnd().split(/\n(?=## )/);
  const others = sections.filter((section) => section.split('\n')[0] !== heading);
  return `${[...others.map((section) => `${section.trimEnd()}\n`), asSection(results)].join('\n').trimEnd()}\n`;
}

function headingOf(line: string): string {
  return `## Line: ${line}`;
}
