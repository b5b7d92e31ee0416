import { dirname } from 'node:path';
import type { Context } from '../images/context.ts';
import { jsonIfThere } from '../kubernetes/api/api.ts';
import { nodeContainer } from '../kubernetes/explain/runtime.ts';
import { nameOf } from '../kubernetes/objects.ts';
import type { Lease, Pod } from '../kubernetes/types.ts';
import { timeoutError, waitThroughOutages } from '../kubernetes/waiting/api-server.ts';
import type { DockerContainer } from '../lib/docker/containers.ts';
import { assertDockerResponds } from '../lib/docker/images.ts';
import { UsageError, UserError } from '../lib/errors.ts';
import { borrowedMount, mountedGitFolder, refsContainer, wasMovedFrom } from './git-refs.ts';

/** The same, but throws a `UsageError` where a cluster of that name belongs to somebody else. */
export async function ownContainer(context: Context): Promise<DockerContainer | undefined> {
  const container = await nodeContainer(context);
  if (container) await assertOwnContainer(context, container);
  return container;
}

/** Throws a `UsageError` where the container belongs to somebody else's cluster. */
export async function assertOwnContainer(context: Context, container: DockerContainer): Promise<void> {
  const mounted = mountedGitFolder(container);
  const { commonDir } = await context.checkout();
  if (mounted === commonDir || (mounted !== undefined && wasMovedFrom(context, mounted, commonDir))) return;
  const owner =
    mounted === undefined ? 'was not made by platform-ops' : `was made from another checkout (${dirname(mounted)})`;
  const { clusterName } = context.config;
  const other = 'hoose another CLUSTER_NAME in .env, with its own HTTP_PORT and HTTPS_PORT.';
  const hint =
    mounted === undefined
      ? `Install into it as it is, with TARGET_CONTEXT=kind-${clusterName} and, unless its Applications follow this repository, GITOPS_REPO_URL in .env; or delete it (kind delete cluster --name ${clusterName}); or c${other}`
      : `C${other}`;
  throw new UsageError(`The cluster ${clusterName} ${owner}.`, { id: 'cluster-of-another', hint });
}

/**
 * Makes sure that the node sees the commits of this checkout: Docker mounts what it was told when the cluster was created.
 * @throws UsageError where the checkout was elsewhere then, or borrows objects from a store that it did not borrow from.
 */
export async function assertSeesCommits(context: Context, container: DockerContainer): Promise<void> {
  const mounted = mountedGitFolder(container);
  const { commonDir, borrows } = await context.checkout();
  const unseen = borrows.find((store) => container.binds.get(borrowedMount(store)) !== store);
  if (mounted === commonDir && unseen !== undefined)
    throw new UsageError(
      `This clone borrows objects from ${unseen}, which the cluster ${context.config.clusterName} does not see.`,
      { id: 'checkout-moved', hint: 'npm run down && npm run up' },
    );
  if (mounted === undefined || mounted === commonDir) return;
  throw new UsageError(
    `This checkout was moved: the cluster ${context.config.clusterName} reads its commits from ${mounted}.`,
    { id: 'checkout-moved', hint: 'npm run down && npm run up' },
  );
}

/** Throws a `UsageError` where the cluster publishes other ports than the settings ask for. */
export function assertPorts({ config }: Context, { ports }: DockerContainer): void {
  const [http, https] = [ports.get('80/tcp'), ports.get('443/tcp')];
  if (http === config.ports.http && https === config.ports.https) return;
  throw new UsageError(
    `The cluster ${config.clusterName} publishes the ports ${http} and ${https}, the settings say ${config.ports.http} and ${config.ports.https}.`,
    {
      id: 'cluster-ports',
      hint: 'A cluster keeps the ports that it was created with: set HTTP_PORT and HTTPS_PORT back, or npm run down && npm run up.',
    },
  );
}

/** Milliseconds; usually the kubelet reports some seconds after it was started. */
const timeoutMs = 120_000;

/**
 * Waits until the kubelet has renewed its lease and told of each pod since the node was started: before that, what the API
 * server tells of pods is what was true when the node was stopped, and everything seems to run. Throws a `UserError`.
 */
export async function waitForNodeReport(patient: Context): Promise<void> {
  const context = { ...patient, timeout: Math.min(patient.timeout, timeoutMs) };
  const { node } = context;
  const startedAt = (await nodeContainer(context))?.startedAt ?? 0;
  const look = async () => {
    const renewed = await renewedAt(context);
    if (renewed === undefined || renewed < startedAt)
      return `the kubelet of ${node} has not reported since the node was started`;
    const pod = (await context.api().list<Pod>('v1', 'Pod')).find((one) => ranBefore(one, startedAt));
    return pod && `the kubelet of ${node} has not reported on ${nameOf(pod)} since the node was started`;
  };
  const missing = await waitThroughOutages(context, look);
  if (missing === undefined) return;
  const hint = `docker exec ${node} journalctl --unit kubelet tells why; npm run down && npm run up starts afresh.`;
  throw await timeoutError(context, missing, hint);
}

/** Whether a container of the pod is told to have run since before then: none outlives its node. Kubernetes tells whole seconds. */
function ranBefore({ metadata, status }: Pod, startedAt: number): boolean {
  const { containerStatuses = [] } = status;
  const since = containerStatuses.map(({ state }) => Date.parse(state.running?.startedAt ?? ''));
  return metadata.deletionTimestamp === undefined && since.some((start) => start < startedAt - 1000);
}

async function renewedAt(context: Context): Promise<number | undefined> {
  const path = `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${context.node}`;
  const renewTime = (await jsonIfThere<Lease>(context.api(), path))?.spec.renewTime;
  return renewTime === undefined ? undefined : Date.parse(renewTime);
}

/** Seconds in which the node's systemd ends what runs in it, before Docker ends it all: Docker's own default. */
const graceSeconds = 10;

/** Stops the node container, and the one beside it. Throws a `UserError` with Docker's reason where it goes on running. */
export async function stopNode(context: Context, { state }: DockerContainer): Promise<void> {
  const { exec, node, timeout } = context;
  // One that is paused hears no signal.
  if (state === 'paused') await exec(['docker', 'unpause', node], { nothrow: true, timeout });
  const [{ exitCode, stderr }] = await Promise.all([
    exec(['docker', 'stop', '--time', `${graceSeconds}`, node], { nothrow: true, timeout }),
    exec(['docker', 'stop', refsContainer(context)], { nothrow: true, timeout }),
  ]);
  if (exitCode === 0) return;
  assertDockerResponds(stderr);
  throw new UserError(`The node container ${node} could not be stopped: ${errorLine(stderr)}`, {
    id: 'node-not-stopped',
    hint: 'npm run stop tries again; npm run doctor looks at Docker.',
  });
}

/** The line that carries the reason: tools end with a summary, or with advice about their own flags. */
export function errorLine(output: string): string {
  const lines = output.trim().split('\n');
  const error =
    lines.find((line) => /error response from daemon/i.test(line)) ?? lines.find((line) => /\berror\b/i.test(line));
  return error ?? lines.at(-1) ?? '';
}
