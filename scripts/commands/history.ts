import { createContext } from '../context.ts';
import { type History, type HistoryLine, readHistory } from '../delivery/promote/history.ts';
import { ExitCode } from '../lib/errors.ts';
import { shortSha } from '../lib/git/checkout.ts';
import { table } from '../lib/text.ts';
import { findService } from '../repository/service-files.ts';
import type { Command, Invocation } from './command.ts';

export const historyCommand: Command = {
  description: [
    'Reads from Git how promote, rollback, the CI of the platform and manual edits changed the image in the values file,',
    'newest first. The age of an image comes from its registry, and what runs from the cluster, where these can be asked.',
  ].join('\n'),
  flags: { json: { type: 'boolean', description: 'Print as JSON.' } },
  operands: ['service'],
  examples: ['npm run history -- core-go', 'npm run --silent history -- core-go --json | jq .entries[0]'],
  run: runHistory,
};

const kinds: Record<HistoryLine['kind'], string> = {
  start: 'first image',
  promotion: 'promotion',
  rollback: 'rollback',
  edit: 'by hand',
};

async function runHistory({
  config,
  flags,
  operands = [],
  signal,
  print,
  progressStream,
}: Invocation): Promise<ExitCode> {
  const context = createContext(config, { signal });
  const found = await readHistory(context, await findService(context, operands[0] ?? ''));
  print(flags.json ? JSON.stringify(found, undefined, 2) : historyPage(found, Date.now()));
  if (!flags.json) for (const note of found.notes) progressStream.write(`${note}\n`);
  return ExitCode.done;
}

/** The history as a table. `now` is milliseconds since 1970. */
export function historyPage({ service, entries, holds }: History, now: number): string {
  const rows = entries.map(({ date, author, kind, commit, tag, built, runs }) => [
    date.slice(0, 16).replace('T', ' '),
    author,
    shortSha(commit),
    kinds[kind],
    tag,
    built === null ? '-' : age(now - Date.parse(built)),
    runs ? 'runs now' : '',
  ]);
  return [
    ...table([['date', 'author', 'commit', 'what', 'tag', 'image age', ''], ...rows]),
    ...(holds.length > 0 ? ['', `${service} is on hold:`, ...holds.map((hold) => `  ${hold}`)] : []),
  ].join('\n');
}

/** A time that has passed, in milliseconds, in the unit that a person would say it in. */
function age(passed: number): string {
  const hours = passed / 3_600_000;
  if (hours < 1) return `${Math.max(0, Math.round(hours * 60))} min`;
  return hours < 48 ? `${Math.round(hours)} h` : `${Math.round(hours / 24)} days`;
}
