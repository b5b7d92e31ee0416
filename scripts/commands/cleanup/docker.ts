import { setTimeout as sleep } from 'node:timers/promises';
import { ownContainer } from '../../cluster/node.ts';
import type { Context } from '../../images/context.ts';
import { pulledImages } from '../../images/store.ts';
import {
  type DockerContainer,
  findContainersByLabel,
  findExisting,
  isMissing,
  removeContainers,
  silent,
} from '../../lib/docker/containers.ts';
import { UserError } from '../../lib/errors.ts';
import { probePort } from '../../lib/ports.ts';
import type { CleanupItem } from './items.ts';

/** Every node of a cluster of kind bears it, with the cluster's name. */
export const clusterLabel = 'io.x-k8s.kind.cluster';
/** kind makes its network right before the first node that is in it; every cluster of kind shares it. */
const networkName = 'kind';
const networkLeadMs = 60_000;
/** Milliseconds that a port may stay taken after the container that published it is gone. */
const portReleaseMs = 3000;

/**
 * The cluster's containers, whatever state they are in, their volumes and ports, and kind's network where it was made
 * for this cluster and nobody else is in it. Throws a `UsageError` where a cluster of that name belongs to somebody else.
 */
export async function clusterItems(context: Context): Promise<CleanupItem[]> {
  const { config, exec, timeout, signal } = context;
  if (!(await ownContainer(context))) return [];
  const containers = await findContainersByLabel(exec, `${clusterLabel}=${config.clusterName}`);
  const names = containers.map(({ name }) => name);
  const volumes = containers.flatMap((container) => container.volumes);
  const ports = containers
    .filter(({ state }) => state === 'running')
    .flatMap((container) => [...container.ports.values()]);
  return [
    ...names.map((name) =>
      dockerItem(context, 'container', name, () => removeContainers(exec, [name], { timeout, signal })),
    ),
    // Usually they go with their container.
    ...volumes.map((name) => dockerItem(context, 'volume', name)),
    ...(await networkItems(context, containers)),
    ...ports.filter((port) => Object.values(config.ports).includes(port)).map(portItem),
  ];
}

/** A thing of Docker's. `remove` is the command that removes it, which fails with the last line of what Docker says. */
function dockerItem(
  { exec }: Context,
  kind: 'container' | 'volume' | 'network' | 'image',
  name: string,
  remove: () => Promise<void> = async () => {
    const { exitCode, stderr } = await exec(['docker', kind, 'rm', name], { nothrow: true, timeout: 60_000 });
    if (exitCode === 0 || isMissing(stderr)) return;
    throw new UserError(stderr.trim().split('\n').at(-1) ?? 'Docker gave no reason', {
      hint: `docker ${kind} rm ${name}`,
    });
  },
): CleanupItem {
  const isThere = async () => (await findExisting(exec, kind, [name])).length > 0;
  return { kind, name: kind === 'volume' ? name.slice(0, 12) : name, remove, isThere };
}

async function networkItems(context: Context, containers: readonly DockerContainer[]): Promise<CleanupItem[]> {
  const { exec } = context;
  const first = Math.min(
    ...containers.filter(({ networks }) => networks.includes(networkName)).map((one) => one.createdAt),
  );
  if (!Number.isFinite(first)) return [];
  const format = ['--format', '{{json .Created}}'];
  const shown = await exec(['docker', 'network', 'inspect', ...format, networkName], {
    nothrow: true,
    timeout: 30_000,
  });
  if (shown.exitCode !== 0) {
    if (isMissing(shown.stderr)) return [];
    throw silent(shown.stderr);
  }
  const age = first - Date.parse(JSON.parse(shown.stdout) as string);
  if (!(age >= 0 && age < networkLeadMs)) return [];
  const filters = ['--filter', `network=${networkName}`, '--format', '{{.Names}}'];
  const users = await exec(['docker', 'ps', '--all', ...filters], { timeout: 30_000 });
  const ours = new Set(containers.map(({ name }) => name));
  if (users.stdout.split('\n').some((name) => name !== '' && !ours.has(name))) return [];
  return [dockerItem(context, 'network', networkName)];
}

function portItem(port: number): CleanupItem {
  return {
    kind: 'port',
    name: `127.0.0.1:${port}`,
    async isThere() {
      for (const deadline = performance.now() + portReleaseMs; performance.now() < deadline; await sleep(100)) {
        if ((await probePort(port)) !== 'taken') return false;
      }
      return true;
    },
  };
}

/** The stand-ins that were built here, and the images that Docker has because we had them pulled and nobody uses. */
export async function imageItems(context: Context): Promise<{ items: CleanupItem[]; notes: string[] }> {
  const { exec, config } = context;
  const format = ['--filter', 'reference=platform-ops/stand-in-*', '--format', '{{.Repository}}:{{.Tag}}'];
  const standIns = (await exec(['docker', 'image', 'ls', ...format], { timeout: 30_000 })).stdout
    .split('\n')
    .filter((name) => /^platform-ops\/stand-in-.*:/.test(name));
  const pulled = await findExisting(exec, 'image', await pulledImages(config.cacheDir));
  const users = await Promise.all(pulled.map((image) => usersOf(context, image)));
  const unused = pulled.filter((_, index) => users[index]?.length === 0);
  const notes = pulled.flatMap((image, index) =>
    unused.includes(image) ? [] : [`The image ${image} stays: ${users[index]?.join(', ')} runs it.`],
  );
  if (!pulled.includes(config.nodeImage) && (await findExisting(exec, 'image', [config.nodeImage])).length > 0)
    notes.push(`The image ${config.nodeImage} stays: Docker had it before. docker rmi ${config.nodeImage}`);
  return { items: [...standIns, ...unused].map((name) => dockerItem(context, 'image', name)), notes };
}

/** Containers of other clusters. */
async function usersOf({ exec, node }: Context, image: string): Promise<string[]> {
  const format = ['--filter', `ancestor=${image}`, '--format', '{{.Names}}'];
  const { stdout } = await exec(['docker', 'ps', '--all', ...format], { timeout: 30_000 });
  return stdout.split('\n').filter((name) => name !== '' && name !== node);
}
