import { connectLiveCluster } from '../checks/verify/live.ts';
import {
  firstCause,
  formatVerification,
  runVerification,
  verificationChecks,
  verificationJson,
} from '../checks/verify/run.ts';
import { assertCluster } from '../cluster/cluster.ts';
import { createContext } from '../context.ts';
import { ExitCode } from '../lib/errors.ts';
import { createProgress } from '../lib/terminal/progress.ts';
import { counted } from '../lib/text.ts';
import type { Command, Invocation } from './command.ts';

export const verifyCommand: Command = {
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
  words: verificationChecks.map(({ name }) => name),
  severalWords: true,
  examples: [
    'npm run verify',
    'npm run verify -- targets labels',
    'npm run --silent verify -- --json | jq .firstCause',
  ],
  run: runVerify,
};

/** Seconds: a new pod is scraped within five, and what is worked out of a minute of scrapes has data after that minute. */
const defaultTimeoutSeconds = 90;

async function runVerify({ config, flags, operands = [], signal, print, progressStream }: Invocation) {
  const context = createContext(config, { signal });
  await assertCluster(context);
  await context.api().text('/readyz');
  const chosen = verificationChecks.filter(({ name }) => operands.length === 0 || operands.includes(name));
  const timeoutMs = (typeof flags.timeout === 'number' ? flags.timeout : defaultTimeoutSeconds) * 1000;
  const progress = await createProgress(progressStream);
  progress.start(`checking ${counted(chosen.length, 'promise')}`);
  const outcomes = await runVerification(chosen, connectLiveCluster(context), { timeoutMs, signal }).finally(() =>
    progress.stop(),
  );
  print(flags.json ? verificationJson(outcomes) : formatVerification(outcomes));
  return firstCause(outcomes) === undefined ? ExitCode.done : ExitCode.failed;
}
