import { checkCgroup } from './cgroup.ts';
import type { Check, CheckContext, Finding } from './check.ts';
import { checkDisk } from './disk.ts';
import { checkDocker } from './docker.ts';
import { checkGit } from './git.ts';
import { checkInotify } from './inotify.ts';
import { checkMemory } from './memory.ts';
import { checkPorts } from './ports.ts';
import { checkClients, checkTools } from './tools.ts';

export type { Check, CheckContext, Finding } from './check.ts';

/**
 * All run side by side; the order is that of their findings, and the one in which a person mends things: without Docker
 * nothing runs, and its settings often take one restart together; then what belongs to this machine; the tools last,
 * as they are the one thing that mends itself.
 */
export const checks: readonly Check[] = [
  checkDocker,
  checkMemory,
  checkDisk,
  checkCgroup,
  checkInotify,
  checkPorts,
  checkGit,
  checkTools,
];

/** Those that tell something where the cluster is not on this machine. */
export const checksElsewhere: readonly Check[] = [checkGit, checkClients];

/** Runs all checks side by side; the findings keep the order of the list. Docker is asked anew in every run. */
export async function runChecks(context: CheckContext, chosen = checks): Promise<Finding[]> {
  const run = { ...context };
  return (await Promise.all(chosen.map((check) => check(run)))).flat();
}
