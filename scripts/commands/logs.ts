import { followAll, readAll } from '../access/logs/follow.ts';
import type { Line, Part } from '../access/logs/read.ts';
import { type Sources, sourcesOf } from '../access/logs/sources.ts';
import { workloadsNamed } from '../access/logs/workloads.ts';
import { assertCluster } from '../cluster/cluster.ts';
import { createContext } from '../context.ts';
import type { Context } from '../images/context.ts';
import { ExitCode, UsageError, UserError } from '../lib/errors.ts';
import { outputRefused } from '../lib/output.ts';
import type { Invocation } from './command.ts';

const usualTail = 100;

/** Carries out `npm run logs`. */
export async function runLogs({
  config,
  flags,
  operands = [],
  signal,
  print,
  progressStream,
}: Invocation): Promise<ExitCode> {
  const part = partOf(flags);
  const word = operands[0] ?? '';
  if (flags.follow && part.previous)
    throw new UsageError(
      'What a run before has written is over: --follow waits for nothing.',
      `npm run logs -- ${word} --previous`,
    );
  const say = (text: string) => void progressStream.write(`${text}\n`);
  // A reader that has seen enough, as in `| head`, ends the following as well.
  const context = createContext(config, { signal: AbortSignal.any([signal, outputRefused]) });
  await assertCluster(context);
  const show = (line: Line) => print(flags.json ? json(line) : `[${line.source.label}] ${line.text}`);
  const found = await look(context, word, part.previous);
  for (const note of found.without) say(`! ${note}`);
  if (found.sources.length === 0 && !flags.follow)
    throw new UserError(`Nothing of ${word} has a log${part.previous ? ' of a run before' : ''}.`, {
      hint: part.previous ? `npm run logs -- ${word} shows that of this one.` : 'npm run status says what is missing.',
    });
  const lines = await readAll(context, found.sources, part);
  for (const line of lines) show(line);
  if (!flags.follow) {
    context.reconnect();
    return ExitCode.done;
  }
  try {
    return await followAll(context, {
      look: async () => (await look(context, word)).sources,
      told: new Map(lines.map(({ source, time }) => [source.id, time])),
      onLine: show,
      onLost: (why) => say(`! ${why}; it is waited for`),
    });
  } catch (error) {
    if (outputRefused.aborted && !signal.aborted) return ExitCode.done;
    throw error;
  }
}

async function look(context: Context, word: string, previous = false): Promise<Sources> {
  const workloads = await workloadsNamed(context, word);
  const pods = await Promise.all(workloads.map((workload) => context.view().podsOf(workload)));
  return sourcesOf(pods.flat(), previous);
}

/** Which lines the flags ask for. Throws a `UsageError` for what is no time or number. */
export function partOf({ since, tail, previous }: Invocation['flags']): Part {
  const seconds = since === undefined ? undefined : secondsIn(String(since));
  if (tail !== undefined && !/^(all|[1-9]\d*)$/.test(String(tail)))
    throw new UsageError('--tail takes a number of lines, or all.', 'npm run logs -- api-node --tail 20');
  const lines = tail === undefined ? (seconds === undefined ? usualTail : undefined) : Number(tail);
  return { seconds, tail: Number.isNaN(lines) ? undefined : lines, previous: previous === true };
}

const inSeconds: Record<string, number> = { m: 60, h: 3600, d: 86_400 };

function secondsIn(text: string): number {
  const [, number, unit = ''] = text.match(/^([1-9]\d*)([smhd]?)$/) ?? [];
  if (number === undefined)
    throw new UsageError('--since takes a time, as in 30s, 10m or 2h.', 'npm run logs -- api-node --since 10m');
  return Number(number) * (inSeconds[unit] ?? 1);
}

function json({ source: { namespace, pod, container }, time, text }: Line): string {
  return JSON.stringify({ time, namespace, pod, container, text });
}
