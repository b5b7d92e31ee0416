import { readdir } from 'node:fs/promises';
import { relative } from 'node:path';
import { startedByVariable, startedForVariable } from '../config/child-environment.ts';
import type { Config } from '../config/config.ts';
import type { Context } from '../images/context.ts';
import { pulledImages } from '../images/store.ts';
import { type CleanupItem, type CleanupItems, dockerItem, folderItems, portItem, processItem } from '../lib/cleanup.ts';
import {
  containerNames,
  type DockerContainer,
  dockerQuery,
  findContainersByLabel,
  findExisting,
  removeContainers,
} from '../lib/docker/containers.ts';
import { homePath } from '../lib/files.ts';
import { groupVariable, isRunning, type Process, processesWith } from '../lib/processes.ts';
import { clusterLabel, gitMount, refsContainer, refsItems } from './git-refs.ts';
import { ownContainer } from './node.ts';

/** kind makes its network right before the first node that is in it; every cluster of kind shares it. */
const networkName = 'kind';
const networkLeadMs = 60_000;

/**
 * The cluster's containers, whatever state they are in, their volumes and ports, and kind's network where it was made
 * for this cluster and no other one is in it.
 * @throws UsageError where a cluster of that name is of another checkout.
 */
export async function clusterItems(context: Context): Promise<CleanupItem[]> {
  const { config, exec, timeout, signal } = context;
  if (!(await ownContainer(context))) return refsItems(context);
  const containers = await findContainersByLabel(exec, `${clusterLabel}=${config.clusterName}`);
  const ports = containers
    .filter(({ state }) => state === 'running')
    .flatMap((container) => [...container.ports.values()]);
  return [
    ...containers.map(({ name }) =>
      dockerItem(exec, 'container', name, () => removeContainers(exec, [name], { timeout, signal })),
    ),
    // Usually they go with their container.
    ...containers.flatMap(({ volumes }) => volumes).map((name) => dockerItem(exec, 'volume', name)),
    ...((await isNetworkOf(context, containers)) ? [dockerItem(exec, 'network', networkName)] : []),
    ...ports.filter((port) => Object.values(config.ports).includes(port)).map(portItem),
    ...(await refsItems(context)),
  ];
}

async function isNetworkOf({ exec }: Context, containers: readonly DockerContainer[]): Promise<boolean> {
  const first = Math.min(
    ...containers.filter(({ networks }) => networks.includes(networkName)).map((one) => one.createdAt),
  );
  if (!Number.isFinite(first)) return false;
  const created = await dockerQuery(exec, ['network', 'inspect', '--format', '{{json .Created}}', networkName]);
  if (created === undefined) return false;
  const age = first - Date.parse(JSON.parse(created) as string);
  if (!(age >= 0 && age < networkLeadMs)) return false;
  const ours = containers.map(({ name }) => name);
  return (await containerNames(exec, `network=${networkName}`)).every((name) => ours.includes(name));
}

/** @returns the names of this user's other clusters on this machine, of whichever checkout. */
export async function otherClusters({ exec, node }: Context): Promise<string[]> {
  return (await findContainersByLabel(exec, clusterLabel))
    .filter(({ name, binds }) => binds.has(gitMount) && name !== node)
    .map(({ name }) => name.replace(/-control-plane$/, ''));
}

/** The stubs that were built here, and the images that Docker has because we had them pulled and nobody uses. */
export async function imageItems(context: Context): Promise<CleanupItems> {
  const { exec, config, node } = context;
  const ours = [node, refsContainer(context)];
  const format = ['--filter', 'reference=platform-ops/stand-in-*', '--format', '{{.Repository}}:{{.Tag}}'];
  const standIns = (await exec(['docker', 'image', 'ls', ...format], { timeout: 30_000 })).stdout
    .split('\n')
    .filter((name) => /^platform-ops\/stand-in-.*:/.test(name));
  const items = standIns.map((name) => dockerItem(exec, 'image', name));
  const notes: string[] = [];
  const pulled = await findExisting(exec, 'image', await pulledImages(config.cacheDir));
  for (const image of pulled) {
    // Containers of other clusters.
    const users = (await containerNames(exec, `ancestor=${image}`)).filter((name) => !ours.includes(name));
    if (users.length === 0) items.push(dockerItem(exec, 'image', image));
    else notes.push(`The image ${image} stays: ${users.join(', ')} runs it.`);
  }
  if (!pulled.includes(config.nodeImage) && (await findExisting(exec, 'image', [config.nodeImage])).length > 0)
    notes.push(`The image ${config.nodeImage} stays: Docker had it before. docker rmi ${config.nodeImage}`);
  return { items, notes };
}

/** What all clusters of this user share: downloads and tools. */
export async function cacheItems({ cacheDir }: Config): Promise<CleanupItem[]> {
  const entries = await readdir(cacheDir).catch(() => []);
  const what = entries.length === 0 ? 'empty cache' : `cache of ${entries.sort().join(', ')}`;
  return folderItems(cacheDir, `${what} (${homePath(cacheDir)})`);
}

/** What belongs to this cluster alone: its private kubeconfig and what kubectl keeps beside it. */
export function stateItems({ stateDir, root }: Config): CleanupItem[] {
  return folderItems(stateDir, `private kubeconfig (${relative(root, stateDir)})`);
}

/** A process that a command of the platform started for this cluster. */
interface Started extends Process {
  starter: { pid: number; start: string | undefined; command: string };
}

/**
 * Found by variables that only our children have: what a command line says is no evidence of whose a process is. They inherit them,
 * and so does what a tool started for the user, as gpg-agent or the daemon of git's credential cache: that has left our group, or is
 * there without the tool that leads it.
 */
function startedFor({ stateDir }: Pick<Config, 'stateDir'>): Started[] {
  const found = processesWith([startedForVariable, startedByVariable, groupVariable]).filter(
    ({ group, variables: [folder, , ours] }) => folder === stateDir && Number(ours) === group,
  );
  const led = found.filter(({ group }) => found.some(({ pid }) => pid === group));
  return led.map((one) => {
    const [pid, command = '', ...start] = (one.variables[1] ?? '').split(' ');
    return { ...one, starter: { pid: Number(pid), command, start: start.join(' ') || undefined } };
  });
}

/** What commands that were killed left behind: their children, and the children of those. */
export function orphanItems(config: Pick<Config, 'stateDir'>): CleanupItem[] {
  return startedFor(config)
    .filter(({ starter }) => !isRunning(starter.pid, starter.start))
    .map((found) => processItem(found, found.command.slice(0, 60)));
}

/** Milliseconds in which `npm run port-forward` notices that its cluster is gone, and ends with a sentence that says so. */
const forwardEndMs = 5000;

/** Each `npm run port-forward` that leads to this cluster now. It belongs behind the cluster, with whose end it ends by itself. */
export function forwardItems(config: Pick<Config, 'stateDir'>): CleanupItem[] {
  const starters = new Map(startedFor(config).map(({ starter }) => [starter.pid, starter]));
  return [...starters.values()]
    .filter(({ pid, start, command }) => /^(port-)?forward$/.test(command) && isRunning(pid, start))
    .map((starter) => processItem(starter, 'npm run port-forward', forwardEndMs));
}
