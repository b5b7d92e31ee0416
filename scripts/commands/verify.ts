import { connectLiveCluster } from '../checks/verify/live.ts';
import { formatVerification, progressTitle, verificationJson } from '../checks/verify/print.ts';
import { firstCause, runVerification, verificationChecks } from '../checks/verify/run.ts';
import { assertCluster } from '../cluster/cluster.ts';
import { createContext } from '../context.ts';
import { ExitCode } from '../lib/errors.ts';
import { createProgress } from '../lib/terminal/progress.ts';
import type { Invocation } from './command.ts';

/** Seconds: a new pod is scraped within five, and what is worked out of a minute of scrapes has data after that minute. */
const defaultTimeoutSeconds = 90;

/** Carries out `npm run verify`. */
export async function runVerify({ config, flags, operands = [], signal, print, progressStream }: Invocation) {
  const context = createContext(config, { signal });
  await assertCluster(context);
  await context.api().text('/readyz');
  const chosen = verificationChecks.filter(({ name }) => operands.length === 0 || operands.includes(name));
  const timeoutMs = (typeof flags.timeout === 'number' ? flags.timeout : defaultTimeoutSeconds) * 1000;
  const progress = await createProgress(progressStream);
  progress.start(progressTitle(chosen.length));
  const outcomes = await runVerification(chosen, connectLiveCluster(context), { timeoutMs, signal }).finally(() =>
    progress.stop(),
  );
  print(flags.json ? verificationJson(outcomes) : formatVerification(outcomes));
  return firstCause(outcomes) === undefined ? ExitCode.done : ExitCode.failed;
}
