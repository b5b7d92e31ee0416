import { type PreflightCheckName, preflightCheckNames } from '../../config/check-names.ts';
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

type Checks = Partial<Record<PreflightCheckName, Check>>;

/** All checks of a machine that runs a kind cluster. */
export const checks = {
  docker: checkDocker,
  memory: checkMemory,
  disk: checkDisk,
  cgroup: checkCgroup,
  inotify: checkInotify,
  ports: checkPorts,
  git: checkGit,
  tools: checkTools,
} satisfies Record<PreflightCheckName, Check>;

/** Those that tell something where the cluster is not on this machine. */
export const checksElsewhere: Checks = { git: checkGit, tools: checkClients };

/** What a command needs that works with a running kind cluster. */
export const checksOfDocker: Checks = { docker: checkDocker };

/**
 * Runs the chosen checks side by side. Docker is asked anew in every run.
 *
 * @returns the findings, in the order of `checkNames`. A problem that an ignored check found is a warning.
 */
export async function runChecks(context: CheckContext, chosen: Checks = checks): Promise<Finding[]> {
  const run = { ...context };
  const results = preflightCheckNames.map(async (name): Promise<Finding[]> => {
    const found = [(await chosen[name]?.(run)) ?? []].flat();
    const ignored = context.ignored?.includes(name) === true;
    return found.map((finding) => ({ id: name, ...(ignored ? ignore(finding, name) : finding) }));
  });
  return (await Promise.all(results)).flat();
}

function ignore(finding: Finding, name: PreflightCheckName): Finding {
  if (finding.level !== 'problem') return finding;
  return { ...finding, level: 'warning', ignored: true, message: `Ignored check "${name}": ${finding.message}` };
}
