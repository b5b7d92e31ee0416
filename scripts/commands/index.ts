import type { Command } from './command.ts';
import { completionCommand } from './usage/completion.ts';
import { credentialsCommand } from './usage/credentials.ts';
import { dashboardsCommand } from './usage/dashboards.ts';
import { diffCommand } from './usage/diff.ts';
import { doctorCommand } from './usage/doctor.ts';
import { downCommand } from './usage/down.ts';
import { drillCommand } from './usage/drill.ts';
import { forwardCommand } from './usage/forward.ts';
import { historyCommand } from './usage/history.ts';
import { kubeconfigCommand } from './usage/kubeconfig.ts';
import { loadCommand } from './usage/load.ts';
import { logsCommand } from './usage/logs.ts';
import { newServiceCommand } from './usage/new-service.ts';
import { openCommand } from './usage/open.ts';
import { passwordsCommand } from './usage/passwords.ts';
import { prefetchCommand } from './usage/prefetch.ts';
import { promoteCommand } from './usage/promote.ts';
import { releaseCommand } from './usage/release.ts';
import { resetCommand } from './usage/reset.ts';
import { rollbackCommand } from './usage/rollback.ts';
import { shellCommand } from './usage/shell.ts';
import { startCommand } from './usage/start.ts';
import { statusCommand } from './usage/status.ts';
import { stopCommand } from './usage/stop.ts';
import { supportCommand } from './usage/support.ts';
import { syncCommand } from './usage/sync.ts';
import { trustCommand } from './usage/trust.ts';
import { upCommand } from './usage/up.ts';
import { validateCommand } from './usage/validate.ts';
import { verifyCommand } from './usage/verify.ts';

/**
 * Every command, in the order of the list that `npm run` and `--help` show. What is loaded here only describes it; the
 * command itself is loaded when it runs, so that what one of them needs costs neither the others nor help any time.
 */
const all: readonly Command[] = [
  upCommand,
  syncCommand,
  statusCommand,
  diffCommand,
  promoteCommand,
  rollbackCommand,
  releaseCommand,
  historyCommand,
  doctorCommand,
  validateCommand,
  trustCommand,
  credentialsCommand,
  newServiceCommand,
  dashboardsCommand,
  passwordsCommand,
  kubeconfigCommand,
  logsCommand,
  shellCommand,
  drillCommand,
  forwardCommand,
  openCommand,
  verifyCommand,
  loadCommand,
  stopCommand,
  startCommand,
  resetCommand,
  downCommand,
  prefetchCommand,
  supportCommand,
  completionCommand,
];

export const commandNames = all.map(({ name }) => name);

/** The command of that name, or undefined. */
export function findCommand(name: string): Command | undefined {
  return all.find((command) => command.name === name);
}

/** All of them, for the list. */
export function allCommands(): readonly Command[] {
  return all;
}
