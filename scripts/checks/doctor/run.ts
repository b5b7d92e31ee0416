import { type PreflightCheckName, preflightCheckNames } from '../../config/check-names.ts';
import { checkCgroup } from './cgroup.ts';
import type { DoctorCheck, DoctorContext, DoctorFinding } from './check.ts';
import { checkDisk } from './disk.ts';
import { checkDocker } from './docker.ts';
import { checkGit } from './git.ts';
import { checkInotify } from './inotify.ts';
import { checkMemory } from './memory.ts';
import { checkFreePorts } from './ports.ts';
import { checkClientTools, checkTools } from './tools.ts';

type DoctorChecks = Partial<Record<PreflightCheckName, DoctorCheck>>;

/** All checks of a machine that runs a kind cluster. */
export const doctorChecks = {
  docker: checkDocker,
  memory: checkMemory,
  disk: checkDisk,
  cgroup: checkCgroup,
  inotify: checkInotify,
  ports: checkFreePorts,
  git: checkGit,
  tools: checkTools,
} satisfies Record<PreflightCheckName, DoctorCheck>;

/** Those that tell something where the cluster is not on this machine. */
export const existingClusterChecks: DoctorChecks = { git: checkGit, tools: checkClientTools };

/** What a command needs that works with a running kind cluster. */
export const dockerChecks: DoctorChecks = { docker: checkDocker };

/**
 * Runs the chosen checks side by side. Docker is asked again in every run.
 *
 * @returns the findings, in the order of `checkNames`. A problem that an ignored check found is a warning.
 */
export async function runDoctorChecks(
  context: DoctorContext,
  chosen: DoctorChecks = doctorChecks,
): Promise<DoctorFinding[]> {
  const run = { ...context };
  const results = preflightCheckNames.map(async (name): Promise<DoctorFinding[]> => {
    const found = [(await chosen[name]?.(run)) ?? []].flat();
    const ignored = context.ignored?.includes(name) === true;
    return found.map((finding) => ({ id: name, ...(ignored ? asIgnored(finding, name) : finding) }));
  });
  return (await Promise.all(results)).flat();
}

function asIgnored(finding: DoctorFinding, name: PreflightCheckName): DoctorFinding {
  if (finding.level !== 'problem') return finding;
  return { ...finding, level: 'warning', ignored: true, message: `Ignored check "${name}": ${finding.message}` };
}
