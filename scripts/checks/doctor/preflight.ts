import { describeTarget } from '../../cluster/existing-cluster.ts';
import { copyUserContext } from '../../cluster/kubeconfig.ts';
import { assertOwnContainer, assertPorts } from '../../cluster/node.ts';
import { type PreflightCheckName, preflightCheckNames } from '../../config/settings.ts';
import { kubernetesVersion } from '../../config/versions.ts';
import type { Context } from '../../images/context.ts';
import { nodeContainer } from '../../kubernetes/explain/runtime.ts';
import type { DockerContainer } from '../../lib/docker/containers.ts';
import { UsageError, UserError } from '../../lib/errors.ts';
import { capitalized } from '../../lib/text.ts';
import { type DoctorCheck, type DoctorContext, type DoctorFinding, ok, problemOf } from './check.ts';
import { checkDocker } from './docker.ts';
import { checkCgroup, checkDisk, checkFreePorts, checkInotify, checkMemory } from './machine.ts';
import { checkClientTools, checkGit, checkTools } from './tools.ts';

type DoctorChecks = Partial<Record<PreflightCheckName, DoctorCheck>>;

/** All checks of a machine that runs a kind cluster. */
const doctorChecks = {
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
const existingClusterChecks: DoctorChecks = { git: checkGit, tools: checkClientTools };

/** What a command needs that works with a running kind cluster. */
export const dockerChecks: DoctorChecks = { docker: checkDocker };

/**
 * Runs the chosen checks side by side. Docker is asked again in every run.
 *
 * @returns the findings, in the order of `preflightCheckNames`. A problem that an ignored check found is a warning.
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

/** The states of a container in which its published ports are taken by itself. */
const portHoldingStates = new Set<string>(['running', 'paused', 'restarting']);

/** What this machine says to the checks of `scripts/checks/doctor/`. */
export async function diagnose(context: Context): Promise<DoctorFinding[]> {
  return diagnoseWhile(context, nodeContainer(context));
}

/** Docker is asked for the node while the rest is looked at: only the ports depend on it. */
async function diagnoseWhile(
  context: Context,
  looking: Promise<DockerContainer | undefined>,
): Promise<DoctorFinding[]> {
  if (context.target !== undefined)
    return [
      ...(await runDoctorChecks(checkContext(context, true), existingClusterChecks)),
      await checkExistingCluster(context),
    ];
  // Where Docker can't tell, the check of Docker says so.
  const exists = looking
    .then((container) => container !== undefined && portHoldingStates.has(container.state))
    .catch(() => false);
  return runDoctorChecks(checkContext(context, exists));
}

/** What a check is given. */
function checkContext(
  { config, exec, toolbox }: Context,
  clusterExists: DoctorContext['clusterExists'],
): DoctorContext {
  return {
    exec,
    toolbox,
    ports: config.ports,
    clusterExists,
    checkout: config.root,
    kubernetesVersion: kubernetesVersion(config.nodeImage),
    ignored: config.ignoredChecks,
  };
}

/**
 * Makes sure that nothing stands in the way before anything is touched. Returns warnings, and whether the cluster is there.
 * Throws a `UsageError`.
 */
export async function preflight(context: Context): Promise<{ warnings: string[]; isThere: boolean }> {
  const looking = nodeContainer(context);
  const [findings] = await Promise.all([diagnoseWhile(context, looking), context.checkout()]);
  assertNoProblems(findings);
  const container = await looking;
  if (container) {
    await assertOwnContainer(context, container);
    assertPorts(context, container);
  }
  return { warnings: warningsAmong(findings), isThere: container !== undefined };
}

/**
 * Makes sure of what a command needs of this machine where the cluster is there already.
 *
 * @returns warnings.
 * @throws a `UsageError`.
 */
export async function assertMachineReady(context: Context): Promise<string[]> {
  if (context.target !== undefined) return [];
  const findings = await runDoctorChecks(checkContext(context, true), dockerChecks);
  assertNoProblems(findings);
  return warningsAmong(findings);
}

/** A remedy is no news for a problem that is ignored on purpose. */
function warningsAmong(findings: readonly DoctorFinding[]): string[] {
  return findings
    .filter(({ level }) => level === 'warning')
    .map(({ message, remedy, ignored }) => (remedy === undefined || ignored ? message : `${message} ${remedy}`));
}

/** Throws one `UsageError` for all problems among the findings. */
function assertNoProblems(findings: readonly DoctorFinding[]): void {
  const problems = findings.filter(({ level }) => level === 'problem');
  const [first, ...others] = problems;
  if (first === undefined) return;
  const more = others
    .map(({ message, remedy }) => `\n✖ ${message}${remedy === undefined ? '' : `\n  → ${remedy}`}`)
    .join('');
  const hint = `${first.remedy ?? 'npm run doctor'}${more}`;
  throw new UsageError(first.message, { id: problems.flatMap(({ errorId = [] }) => errorId), hint });
}

/** Whether the cluster that TARGET_CONTEXT names can be asked as the person's kubeconfig says, with their login of today. */
async function checkExistingCluster(context: Context): Promise<DoctorFinding> {
  try {
    await copyUserContext(context);
    return ok('target', `${capitalized(await describeTarget(context))} answers.`);
  } catch (error) {
    if (context.signal.aborted || !(error instanceof UserError)) throw error;
    const { remedy: hint, ...finding } = problemOf('target', error);
    const remedy = hint === 'npm run up' ? 'Is the network there, and the VPN that it takes?' : hint;
    return { ...finding, message: capitalized(finding.message), ...(remedy !== undefined && { remedy }) };
  }
}
