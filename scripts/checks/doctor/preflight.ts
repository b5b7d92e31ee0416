import { assertOwnContainer, assertPorts } from '../../cluster/node.ts';
import { kubernetesVersion } from '../../config/versions.ts';
import type { Context } from '../../images/context.ts';
import { nodeContainer } from '../../kubernetes/explain/runtime.ts';
import type { DockerContainer } from '../../lib/docker/containers.ts';
import { UsageError } from '../../lib/errors.ts';
import { targetFinding } from './existing-cluster.ts';
import { type CheckContext, checksElsewhere, checksOfDocker, type Finding, runChecks } from './index.ts';

/** The states of a container in which its published ports are taken by itself. */
const holdsPorts = new Set<string>(['running', 'paused', 'restarting']);

/** What this machine says to the checks of `scripts/checks/doctor/`. */
export async function examine(context: Context): Promise<Finding[]> {
  return examineBeside(context, nodeContainer(context));
}

/** Docker is asked for the node while the rest is looked at: only the ports depend on it. */
async function examineBeside(context: Context, looking: Promise<DockerContainer | undefined>): Promise<Finding[]> {
  if (context.target !== undefined)
    return [...(await runChecks(checkContext(context, true), checksElsewhere)), await targetFinding(context)];
  // Where Docker can't tell, the check of Docker says so.
  const exists = looking
    .then((container) => container !== undefined && holdsPorts.has(container.state))
    .catch(() => false);
  return runChecks(checkContext(context, exists));
}

/** What a check is given. */
function checkContext({ config, exec, toolbox }: Context, clusterExists: CheckContext['clusterExists']): CheckContext {
  return {
    exec,
    toolbox,
    clusterName: config.clusterName,
    ports: config.ports,
    clusterExists,
    checkout: config.root,
    kubernetesVersion: kubernetesVersion(config.nodeImage),
    ignored: config.ignoredChecks,
  };
}

/**
 * Makes sure that nothing stands in the way before anything is touched. Hands back warnings, and whether the cluster is there.
 * Throws a `UsageError`.
 */
export async function preflight(context: Context): Promise<{ warnings: string[]; isThere: boolean }> {
  const looking = nodeContainer(context);
  const [findings] = await Promise.all([examineBeside(context, looking), context.checkout()]);
  refuseProblems(findings);
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
export async function demandMachine(context: Context): Promise<string[]> {
  if (context.target !== undefined) return [];
  const findings = await runChecks(checkContext(context, true), checksOfDocker);
  refuseProblems(findings);
  return warningsAmong(findings);
}

/** A remedy is no news for a problem that is ignored on purpose. */
function warningsAmong(findings: readonly Finding[]): string[] {
  return findings
    .filter(({ level }) => level === 'warning')
    .map(({ message, remedy, ignored }) => (remedy === undefined || ignored ? message : `${message} ${remedy}`));
}

/** Throws one `UsageError` for all problems among the findings. */
function refuseProblems(findings: readonly Finding[]): void {
  const [first, ...others] = findings.filter(({ level }) => level === 'problem');
  if (first === undefined) return;
  const more = others
    .map(({ message, remedy }) => `\n✖ ${message}${remedy === undefined ? '' : `\n  → ${remedy}`}`)
    .join('');
  const hint = `${first.remedy ?? 'npm run doctor'}${more}`;
  throw new UsageError(first.message, hint);
}
