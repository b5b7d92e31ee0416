import { demandCluster } from '../components/cluster-ownership.ts';
import { createContext } from '../context.ts';
import { ExitCode } from '../lib/errors.ts';
import { createProgress } from '../lib/progress.ts';
import { checks } from '../verification/index.ts';
import { lookAt } from '../verification/live.ts';
import { report, reportJson, waitingFor } from '../verification/print.ts';
import { firstCause, runChecks } from '../verification/run.ts';
import type { Command, Invocation } from './command.ts';

export const verify: Command = {
  name: 'verify',
  summary: 'Hold the running monitoring against what it promises.',
  description: [
    'Looks whether every pod is one target with the right labels, whether every rule and every panel has data, whether the',
    'counters move when requests come through the ingress (it sends ten), and whether Grafana has every dashboard and its',
    'data source. Prints a table; exit code 1 with the first cause and what to do about it. What may pass by itself, as',
    'while a pod starts, is waited for. Changes nothing. Words choose single checks.',
  ].join('\n'),
  flags: {
    json: { type: 'boolean', description: 'Print what was found as JSON.' },
    timeout: { type: 'seconds', description: 'How long to wait for what may pass by itself (default: 90).' },
  },
  words: checks.map(({ name }) => name),
  severalWords: true,
  examples: [
    'npm run verify',
    'npm run verify -- targets labels',
    'npm run --silent verify -- --json | jq .firstCause',
  ],
  run: runVerify,
};

/** Seconds: a new pod is scraped within five, and what is worked out of a minute of scrapes has data after that minute. */
const usualPatience = 90;

async function runVerify({ config, flags, operands = [], signal, print, progressStream }: Invocation) {
  const context = createContext(config, { signal });
  await demandCluster(context);
  await context.api().text('/readyz');
  const chosen = checks.filter(({ name }) => operands.length === 0 || operands.includes(name));
  const patience = (typeof flags.timeout === 'number' ? flags.timeout : usualPatience) * 1000;
  const progress = createProgress(progressStream);
  progress.start(waitingFor(chosen.length));
  const outcomes = await runChecks(chosen, lookAt(context), { patience, signal }).finally(() => progress.stop());
  print(flags.json ? reportJson(outcomes) : report(outcomes));
  return firstCause(outcomes) === undefined ? ExitCode.done : ExitCode.failed;
}
