import { setTimeout as sleep } from 'node:timers/promises';
import { ownContainer } from '../../cluster/node.ts';
import type { Context } from '../../images/context.ts';
import {
  type ContainerDetails,
  findContainersByLabel,
  findExisting,
  isMissing,
  removeContainers,
  silent,
} from '../../lib/docker/containers.ts';
import { UserError } from '../../lib/errors.ts';
import { probePort } from '../../lib/ports.ts';
import type { Item } from './item.ts';

/** Every node of a cluster of kind bears it, with the cluster's name. */
export const clusterLabel = 'io.x-k8s.kind.cluster';
/** kind makes its network right before the first node that is in it; every cluster of kind shares it. */
const networkName = 'kind';
const networkLead = 60_000;
/** Milliseconds that a port may stay taken after the container that published it is gone. */
const portPatience = 3000;

/**
 * The cluster's containers, whatever state they are in, their volumes and ports, and kind's network where it was made
 * for this cluster and nobody else is in it. Throws a `UsageError` where a cluster of that name belongs to somebody else.
 */
export async function clusterItems(context: Context): Promise<Item[]> {
  const { config, exec } = context;
  if (!(await ownContainer(context))) return [];
  const containers = await findContainersByLabel(exec, `${clusterLabel}=${config.clusterName}`);
  const names = containers.map(({ name }) => name);
  const volumes = containers.flatMap((container) => container.volumes);
  const ports = containers.filter(({ running }) => running).flatMap((container) => container.ports);
  return [
    ...names.map((name) => containerItem(context, name)),
    ...volumes.map((name) => volumeItem(context, name)),
    ...(await networkItems(context, containers)),
    ...ports.filter((port) => Object.values(config.ports).includes(port)).map(portItem),
  ];
}

function containerItem({ exec, timeout, signal }: Context, name: string): Item {
  return {
    kind: 'container',
    name,
    remove: () => removeContainers(exec, [name], { timeout, signal }),
    isThere: async () => (await findExisting(exec, 'container', [name])).length > 0,
  };
}

function volumeItem({ exec }: Context, name: string): Item {
  const isThere = async () => (await findExisting(exec, 'volume', [name])).length > 0;
  return {
    kind: 'volume',
    name: name.slice(0, 12),
    isThere,
    async remove() {
      // Usually it goes with its container.
      if (await isThere()) await demand(exec(['docker', 'volume', 'rm', name], { nothrow: true, timeout: 60_000 }));
    },
  };
}

async function networkItems({ exec }: Context, containers: readonly ContainerDetails[]): Promise<Item[]> {
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
  if (!(age >= 0 && age < networkLead)) return [];
  const filters = ['--filter', `network=${networkName}`, '--format', '{{.Names}}'];
  const users = await exec(['docker', 'ps', '--all', ...filters], { timeout: 30_000 });
  const ours = new Set(containers.map(({ name }) => name));
  if (users.stdout.split('\n').some((name) => name !== '' && !ours.has(name))) return [];
  return [
    {
      kind: 'network',
      name: networkName,
      remove: () => demand(exec(['docker', 'network', 'rm', networkName], { nothrow: true, timeout: 60_000 })),
      isThere: async () => (await findExisting(exec, 'network', [networkName])).length > 0,
    },
  ];
}

function portItem(port: number): Item {
  return {
    kind: 'port',
    name: `127.0.0.1:${port}`,
    async isThere() {
      for (const deadline = performance.now() + portPatience; performance.now() < deadline; await sleep(100)) {
        if ((await probePort(port)) !== 'taken') return false;
      }
      return true;
    },
  };
}

async function demand(running: Promise<{ exitCode: number; stderr: string }>): Promise<void> {
  const { exitCode, stderr } = await running;
  if (exitCode !== 0) throw new UserError(stderr.trim().split('\n').at(-1) ?? 'Docker gave no reason');
}
