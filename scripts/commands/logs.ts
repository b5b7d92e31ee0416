import {
  followLogs,
  type LogLine,
  type LogRange,
  type LogSources,
  readLogs,
  sourcesOf,
  workloadsNamed,
} from '../access/logs.ts';
import { assertCluster } from '../cluster/cluster.ts';
import { createContext } from '../context.ts';
import type { Context } from '../images/context.ts';
import { ExitCode, UsageError, UserError } from '../lib/errors.ts';
import { outputDrained, outputRefused } from '../lib/terminal/output.ts';
import type { Command, Invocation } from './command.ts';

export const logsCommand: Command = {
  description: [
    'Prints the last 100 lines of each container of api-node, core-go, worker-python, prometheus, grafana or any other',
    'workload by its name, or of all that belongs to argocd or ingress, in the order of time, each behind its pod. --follow',
    'goes on until Ctrl-C, also with the pods that replace them, the containers that restart, and while the API server',
    'restarts.',
  ].join('\n'),
  flags: {
    follow: { type: 'boolean', description: 'Go on, until Ctrl-C.' },
    since: { type: 'text', value: 'time', description: 'Only what was written in the last 30s, 10m or 2h, all of it.' },
    tail: { type: 'text', value: 'lines', description: 'So many lines of each container, or all.' },
    previous: { type: 'boolean', description: 'Of the run before, where a container was restarted.' },
    json: { type: 'boolean', description: 'Print each line as JSON: time, namespace, pod, container, text.' },
  },
  operands: ['service'],
  examples: [
    'npm run logs -- api-node',
    'npm run logs -- core-go --follow --since 10m',
    'npm run logs -- core-go --previous',
    'npm run logs -- argocd --tail 20',
    'npm run --silent logs -- ingress --json | jq -r .text',
  ],
  run: runLogs,
};

const usualTail = 100;

async function runLogs({ config, flags, operands = [], signal, print, progressStream }: Invocation): Promise<ExitCode> {
  const part = logRangeOf(flags);
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
  const show = (line: LogLine) => print(flags.json ? json(line) : `[${line.source.label}] ${line.text}`);
  const found = await findSources(context, word, part.previous);
  for (const note of found.without) say(`! ${note}`);
  if (found.sources.length === 0 && !flags.follow)
    throw new UserError(`Nothing of ${word} has a log${part.previous ? ' of a run before' : ''}.`, {
      hint: part.previous ? `npm run logs -- ${word} shows that of this one.` : 'npm run status says what is missing.',
    });
  const lines = await readLogs(context, found.sources, part);
  for (const line of lines) show(line);
  if (!flags.follow) {
    context.reconnect();
    return ExitCode.done;
  }
  try {
    return await followLogs(context, {
      look: async () => (await findSources(context, word)).sources,
      told: new Map(lines.map(({ source, time }) => [source.id, time])),
      onLine(line) {
        show(line);
        return outputDrained();
      },
      onLost: (why) => say(`! ${why}; it is waited for`),
    });
  } catch (error) {
    if (outputRefused.aborted && !signal.aborted) return ExitCode.done;
    throw error;
  }
}

async function findSources(context: Context, word: string, previous = false): Promise<LogSources> {
  const workloads = await workloadsNamed(context, word);
  const pods = await Promise.all(workloads.map((workload) => context.view().podsOf(workload)));
  return sourcesOf(pods.flat(), previous);
}

/** Which lines the flags ask for. Throws a `UsageError` for what is no time or number. */
export function logRangeOf({ since, tail, previous }: Invocation['flags']): LogRange {
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

function json({ source: { namespace, pod, container }, time, text }: LogLine): string {
  return JSON.stringify({ time, namespace, pod, container, text });
}
