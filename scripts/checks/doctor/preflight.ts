import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describeTarget } from '../../cluster/existing-cluster.ts';
import { refsFolder } from '../../cluster/git-refs.ts';
import { copyUserContext } from '../../cluster/kubeconfig.ts';
import { assertOwnContainer, assertPorts, assertSeesCommits } from '../../cluster/node.ts';
import { lookForKey } from '../../components/repository-key.ts';
import { authorityFolder } from '../../config/config.ts';
import { type PreflightCheckName, preflightCheckNames } from '../../config/settings.ts';
import { kubernetesVersion } from '../../config/versions.ts';
import type { Context } from '../../images/context.ts';
import { nodeContainer } from '../../kubernetes/explain/runtime.ts';
import { UsageError, UserError } from '../../lib/errors.ts';
import { findForbidden } from '../../lib/files.ts';
import { capitalized } from '../../lib/text.ts';
import { type DoctorCheck, type DoctorContext, type DoctorFinding, findingText, ok, problemOf } from './check.ts';
import { askDocker } from './docker.ts';
import { checkCgroup, checkDisk, checkFreePorts, checkInotify, checkMemory } from './machine.ts';
import { checkNetwork } from './network.ts';
import { checkGit, checkTools } from './tools.ts';

/** All but the check of Docker, which the others are told the answer of. */
const doctorChecks: Record<Exclude<PreflightCheckName, 'docker'>, DoctorCheck> = {
  memory: checkMemory,
  disk: checkDisk,
  cgroup: checkCgroup,
  inotify: checkInotify,
  ports: checkFreePorts,
  git: checkGit,
  tools: checkTools,
};

/**
 * Runs the chosen checks side by side. Docker is asked once in every run, if a check needs it.
 *
 * @returns the findings, in the order of the names. A problem that an ignored check found is a warning.
 */
export async function runDoctorChecks(
  context: DoctorContext,
  names: readonly PreflightCheckName[] = preflightCheckNames,
): Promise<DoctorFinding[]> {
  let asked: ReturnType<typeof askDocker> | undefined;
  const docker = () => {
    asked ??= askDocker(context);
    return asked;
  };
  const results = names.map(async (name): Promise<DoctorFinding[]> => {
    const found =
      name === 'docker'
        ? (await docker()).finding
        : await doctorChecks[name](context, async () => (await docker()).info);
    const ignored = context.ignored?.includes(name) === true;
    return [found].flat().map((finding) => ({ id: name, ...(ignored ? asIgnored(finding, name) : finding) }));
  });
  return (await Promise.all(results)).flat();
}

function asIgnored(finding: DoctorFinding, name: PreflightCheckName): DoctorFinding {
  if (finding.level !== 'problem') return finding;
  return { ...finding, level: 'warning', ignored: true, message: `Ignored check "${name}": ${finding.message}` };
}

/** The states of a container in which its published ports are taken by itself. */
const portHoldingStates = new Set<string>(['running', 'paused', 'restarting']);

/**
 * What this machine says to the checks of `scripts/checks/doctor/`. Where the cluster is not on it, only those are made that
 * tell something. Docker is asked for the node while the rest is looked at: only the ports depend on it.
 */
export async function diagnose(context: Context, looking = nodeContainer(context)): Promise<DoctorFinding[]> {
  // Where Docker can't tell, the check of Docker says so.
  const state = looking.then((container) => container?.state ?? 'absent').catch(() => 'unknown');
  const clusterExists = state.then((one) => portHoldingStates.has(one));
  const { root, stateDir, cacheDir, dataDir } = context.config;
  const kept = [join(root, '.state'), stateDir, context.kubeconfig, cacheDir, authorityFolder(context.config), dataDir];
  const cached = await readdir(cacheDir).catch(() => []);
  // Where there is no checkout, the check of Git says so.
  const checkout = context.target === undefined ? await context.checkout().catch(() => undefined) : undefined;
  const inGit = checkout === undefined ? [] : [refsFolder(context, checkout.commonDir)];
  const forbidden = findForbidden([...kept, ...inGit, ...cached.map((name) => join(cacheDir, name))]);
  const files = forbidden === undefined ? [] : [problemOf('files', forbidden)];
  if (context.target !== undefined) {
    const found = await runDoctorChecks({ ...checkContext(context), tools: ['kubectl', 'helm'] }, ['git', 'tools']);
    const network = await networkOf(context, 'elsewhere');
    const repository = await checkRepository(context, true);
    return [...files, ...found, ...network, await checkExistingCluster(context), ...repository];
  }
  const [machine, network, repository] = await Promise.all([
    runDoctorChecks({ ...checkContext(context), clusterExists }),
    state.then((one) => networkOf(context, one === 'absent' ? 'absent' : 'there')),
    state.then((one) => checkRepository(context, one === 'running')),
  ]);
  return [...files, ...machine, ...network, ...repository];
}

function networkOf({ exec, config, signal, downloads }: Context, node: 'absent' | 'there' | 'elsewhere') {
  const { network, gitops } = config;
  return checkNetwork({ exec, network, signal, node, repository: gitops?.repoUrl, offline: downloads.offline });
}

/** What a check is given where the cluster exists. */
function checkContext({ checkout, config, exec, toolbox }: Context): DoctorContext {
  return {
    exec,
    toolbox,
    tools: ['kind', 'kubectl', 'helm'],
    ports: config.ports,
    clusterExists: true,
    checkout,
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
  const [findings] = await Promise.all([diagnose(context, looking), context.checkout()]);
  const warnings = assertNoProblems(findings);
  const container = await looking;
  if (container) {
    await assertOwnContainer(context, container);
    await assertSeesCommits(context, container);
    assertPorts(context, container);
  }
  return { warnings, isThere: container !== undefined };
}

/**
 * Makes sure of what a command needs of this machine where the cluster is there already.
 *
 * @returns warnings.
 * @throws a `UsageError`.
 */
export async function assertMachineReady(context: Context): Promise<string[]> {
  if (context.target !== undefined) return [];
  return assertNoProblems(await runDoctorChecks(checkContext(context), ['docker']));
}

/** Returns the warnings among the findings. Throws one `UsageError` for all problems. */
function assertNoProblems(findings: readonly DoctorFinding[]): string[] {
  const problems = findings.filter(({ level }) => level === 'problem');
  const [first, ...others] = problems;
  if (first !== undefined) {
    const hint = [first.remedy ?? 'npm run doctor', ...others.map(findingText)].join('\n');
    throw new UsageError(first.message, { id: problems.flatMap(({ errorId = [] }) => errorId), hint });
  }
  // A remedy is no news for a problem that is ignored on purpose.
  return findings
    .filter(({ level }) => level === 'warning')
    .map(({ message, remedy, ignored }) => (remedy === undefined || ignored ? message : `${message} ${remedy}`));
}

/** What Argo CD lacks to read GITOPS_REPO_URL. It can be given that once it is installed, so nothing is kept from that by it. */
async function checkRepository(context: Context, isRunning: boolean): Promise<DoctorFinding[]> {
  const { gitops } = context.config;
  if (gitops === undefined) return [];
  try {
    const inCluster = isRunning && existsSync(context.kubeconfig);
    const { fault } = await lookForKey(context, gitops.repoUrl, { inCluster });
    return fault ? [{ ...problemOf('repository', fault), level: 'warning' }] : [];
  } catch (error) {
    // That the cluster does not answer is said by whatever needs it.
    if (context.signal.aborted || !(error instanceof UserError)) throw error;
    return [];
  }
}

/** Whether the cluster that TARGET_CONTEXT names answers as your kubeconfig says, with your login of today. */
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
