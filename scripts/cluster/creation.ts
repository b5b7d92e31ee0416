import { chmod, mkdir, rm } from 'node:fs/promises';
import { parse } from 'yaml';
import type { Context } from '../images/context.ts';
import { kindVariables, networkMounts } from '../images/network.ts';
import { awaitUnpacked, unpackedMount } from '../images/unpacked.ts';
import { toReadableYaml } from '../kubernetes/objects.ts';
import type { Workload } from '../kubernetes/types.ts';
import { waitForReady } from '../kubernetes/waiting/ready.ts';
import { missingOf } from '../kubernetes/workloads.ts';
import { removeContainers } from '../lib/docker/containers.ts';
import { assertDockerResponds, diskFullHint } from '../lib/docker/images.ts';
import { isDiskFull, shortened, UserError } from '../lib/errors.ts';
import { CommandError } from '../lib/exec.ts';
import { readText, understood } from '../repository/text.ts';
import type { ApplyResult } from './component.ts';
import { followRefs, gitMount, gitMounts, refsContainer } from './git-refs.ts';
import { errorLine, ownContainer } from './node.ts';

/** Made in the node once the cluster is finished: one without it was interrupted half-way, and is recreated. */
const finishedMark = '/kind/platform-ops-finished';

/** Deletes the cluster, whatever state it is in, as kind would. Throws a `UserError` with Docker's reason. */
export async function deleteCluster(context: Context): Promise<void> {
  const { exec, node, timeout, signal } = context;
  context.reconnect();
  await removeContainers(exec, [node, refsContainer(context)], { timeout, signal });
  await rm(context.config.stateDir, { recursive: true, force: true });
}

/**
 * Creates the cluster through kind, with the images of an earlier one where there are some, and waits until the node's
 * network is up. Throws a `UserError` with kind's reason.
 */
export async function createCluster(context: Context): Promise<ApplyResult> {
  const { config, exec, images, timeout, signal } = context;
  // Of a cluster that somebody deleted, or of a kind that was killed, whose lock would stand in the way of the next.
  await Promise.all([
    rm(config.stateDir, { recursive: true, force: true }),
    removeContainers(exec, [refsContainer(context)], { timeout, signal }),
  ]);
  await mkdir(config.stateDir, { recursive: true, mode: 0o700 });
  await chmod(config.stateDir, 0o700);
  // kind would pull it, too, but without saying what went wrong.
  await images.pull(config.nodeImage);
  const notes = await makeNode(context).catch((error: unknown) => {
    throw error instanceof CommandError ? notCreated(context, error) : error;
  });
  context.reconnect();
  await Promise.all([
    waitForReady(context, { look: () => missingNetwork(context), hint: 'npm run down && npm run up' }),
    // Not before: kind takes a container with its label for a cluster.
    followRefs(context),
  ]);
  await exec(['docker', 'exec', context.node, 'touch', finishedMark]);
  return {
    changed: [`cluster ${config.clusterName}`],
    detail: `${config.clusterName}, ${shortImage(config.nodeImage)}`,
    notes,
  };
}

/**
 * Has kind make the node, with the unpacked images where some are kept, and once more, without them, where that may help.
 * Images that the node has no use for are thrown away.
 * @returns what you should know of that.
 * @throws CommandError with what kind says.
 */
async function makeNode(context: Context): Promise<string[]> {
  const { config, node } = context;
  const unpacked = await context.unpacked.offer(config.nodeImage);
  const again = async (note: string) => {
    if (unpacked !== undefined) await context.unpacked.discard(config.nodeImage);
    await removeContainers(context.exec, [node], context);
    await kindCreate(context, undefined);
    return [note];
  };
  const started = performance.now();
  try {
    await kindCreate(context, unpacked);
  } catch (error) {
    if (!(error instanceof CommandError) || !nodeFailed(error)) throw error;
    if (unpacked !== undefined)
      return again('The node did not start in time with the images kept for it: it was made without them.');
    if (performance.now() - started > passingMs) throw error;
    return again('The node did not start at the first attempt, and was created again.');
  }
  if (unpacked === undefined) return [];
  const stand = (await context.exec(['docker', 'exec', node, ...awaitUnpacked], { nothrow: true })).stdout.trim();
  if (stand === 'whole') return [];
  // Its containerd counts on layers that are not there.
  if (stand === 'unpacking')
    return again('Of the images kept for the node some could not be unpacked: it was made without them.');
  await context.unpacked.discard(config.nodeImage);
  return ['The images that were kept for the node could not be read: they were downloaded again.'];
}

/**
 * Milliseconds within which kubeadm fails on a machine that is busy: of 8 first nodes at a load of 15 to 55 it failed on 4
 * after less than a minute and a half, and on none at the second attempt. What it waits four minutes for does not pass.
 */
const passingMs = 120_000;

/** Whether kind gave up on a node that it started, and not before: it waits half a minute for it to boot. */
function nodeFailed({ output, timedOut }: CommandError): boolean {
  return timedOut === undefined && /could not find a log line|failed to init node/i.test(output.stderr);
}

/** Has kind make the node. Throws what kind says as a `CommandError`. */
async function kindCreate(context: Context, unpacked: string | undefined): Promise<void> {
  const { config, exec, kubeconfig, toolbox } = context;
  const { path } = await toolbox.find('kind');
  const input = await kindConfig(context, unpacked);
  const options = ['--name', config.clusterName, '--image', config.nodeImage, '--kubeconfig', kubeconfig];
  // Not --quiet: kind then keeps the reason of a failure to itself as well.
  const create = () =>
    exec([path, 'create', 'cluster', ...options, '--config', '-'], { input, env: kindVariables(config.network) });
  await create().catch(async (error: unknown) => {
    // Docker finished what a killed command had asked for.
    if (!(error instanceof CommandError) || !/already (exist|in use)/i.test(error.output.stderr)) throw error;
    if (!(await ownContainer(context))) throw error;
    await removeContainers(exec, [context.node], context);
    await create();
  });
}

/** Why kind did not get done: Docker, the time, the disk, or what it says itself. */
function notCreated({ config }: Context, error: CommandError): UserError {
  const { stderr } = error.output;
  assertDockerResponds(stderr);
  const why = error.timedOut === undefined ? reasonOf(stderr) : `it was not done after ${error.timedOut / 1000} s.`;
  const again = 'npm run doctor looks for the usual causes; npm run up tries again';
  return new UserError(`kind could not create the cluster ${config.clusterName}: ${why}`, {
    id: 'cluster-not-created',
    hint: isDiskFull(stderr)
      ? diskFullHint
      : `${again}${error.timedOut === undefined ? '' : ', with --timeout for longer'}.`,
    cause: error,
  });
}

/**
 * What kind says, with kubeadm's reason where that failed: kind adds kubeadm's log, which ends with the message of the
 * error and the stack of each place that handed it on.
 */
function reasonOf(stderr: string): string {
  const [said = '', log] = stderr.split(/^Command Output:/m);
  if (log === undefined) return errorLine(stderr);
  const reason = log
    .split(/^[IWEF]\d{4} .*$/m)
    .at(-1)
    ?.split('\n')
    .find((line) => line.trim() !== '');
  return reason === undefined ? errorLine(said) : `${errorLine(said)}: ${shortened(reason.trim(), 300)}`;
}

/**
 * kind is done before the node's network is. A pod that starts in between can't reach the API server's address, dies,
 * and is started again only after a pause; so nothing is installed before.
 */
async function missingNetwork(context: Context): Promise<string | undefined> {
  const daemons = (await context.view().list<Workload>('apps/v1', 'DaemonSet')).filter(
    ({ metadata }) => metadata.namespace === 'kube-system',
  );
  if (daemons.length === 0) return 'kube-proxy is not there yet';
  return daemons.map((daemon) => missingOf(daemon)).find((missing) => missing !== undefined);
}

/**
 * When the cluster was finished, or undefined where it never was: asked in the node, so it needs no API. What is in the
 * cluster since before then came with Kubernetes and kind. Throws a `UserError` where the node doesn't answer: a finished
 * cluster must not be taken for a half one.
 */
export async function finishedAt({ exec, node }: Context): Promise<Date | undefined> {
  const { exitCode, stdout, stderr } = await exec(['docker', 'exec', node, 'stat', '--format=%Y', finishedMark], {
    nothrow: true,
    timeout: 60_000,
  });
  if (exitCode === 0) return new Date(Number(stdout.trim()) * 1000);
  if (/No such file/.test(stderr)) return undefined;
  assertDockerResponds(stderr);
  throw new UserError(`The node container ${node} can't be asked whether it is finished: ${errorLine(stderr)}`, {
    id: 'node-not-started',
    hint: `docker logs ${node} may tell why; npm run up tries again, npm run down deletes the cluster.`,
  });
}

/** The error for a cluster that was interrupted while it was created. */
export function halfCreated({ config }: Pick<Context, 'config'>): UserError {
  return new UserError(`The cluster ${config.clusterName} is half created: there is nothing in it yet.`, {
    id: 'cluster-half-created',
    hint: 'npm run up recreates it; npm run down deletes it.',
  });
}

/** The name of an image, without its digest. */
export function shortImage(image: string): string {
  return image.replace(/@sha256:.*$/, '');
}

interface KindConfig {
  name?: string;
  nodes: {
    extraPortMappings: { containerPort: number; hostPort: number }[];
    extraMounts?: { hostPath: string; containerPath: string; readOnly?: boolean }[];
  }[];
}

export const kindFile = 'cluster/kind.yaml';

/** cluster/kind.yaml with this cluster's name, ports and Git folder, and the folder of unpacked images where there is one. */
async function kindConfig(context: Context, unpacked: string | undefined): Promise<string> {
  const { root, ports, clusterName } = context.config;
  const mounts = [...(await gitMounts(context)), ...(await networkMounts(context))];
  if (unpacked !== undefined) mounts.push({ hostPath: unpacked, containerPath: unpackedMount, readOnly: true });
  const text = await readText(root, kindFile);
  return understood(kindFile, () => {
    const config = parse(text) as KindConfig;
    config.name = clusterName;
    for (const node of config.nodes) {
      for (const mapping of node.extraPortMappings)
        mapping.hostPort = mapping.containerPort === 80 ? ports.http : ports.https;
      const others = (node.extraMounts ?? []).filter(({ containerPath }) => !containerPath.startsWith(gitMount));
      node.extraMounts = [...others, ...mounts];
    }
    return toReadableYaml(config);
  });
}
