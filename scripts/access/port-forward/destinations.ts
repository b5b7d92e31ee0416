import { type AddressInfo, createServer, type Server } from 'node:net';
import { UsageError } from '../../lib/errors.ts';
import type { Exec } from '../../lib/exec.ts';
import { portHolder, probePort } from '../../lib/ports.ts';

/** Something in the cluster that a port of this machine can lead to. */
export interface Destination {
  /** The word that chooses it. */
  name: string;
  namespace: string;
  service: string;
  /** The name of the Service's port. */
  port: string;
  /** The port of this machine, unless another is chosen. */
  localPort: number;
  /** Where to begin. */
  path?: string;
  /** The whole address, where the name in it counts. */
  url?: string;
  /** Whether it asks for the user admin and a password, which `npm run passwords` tells by the same name. */
  login?: true;
}

const observability = { namespace: 'observability', port: 'web' };

/** The word for the service behind the ingress. */
export const apiName = 'api';

/** The words that choose one, in the order of the list. */
export const destinationNames = ['prometheus', 'grafana', 'argocd', apiName] as const;

/**
 * In the order of the list; with the API, if there is one. The ports are those that each program's own manual uses, where the platform leaves them free:
 * 8080, Argo CD's, is where the ingress is by default, and 3000 is Grafana's.
 */
export const destinationsWith = (api: { namespace: string; service: string } | undefined): readonly Destination[] => [
  { name: 'prometheus', ...observability, service: 'prometheus', localPort: 9090 },
  { name: 'grafana', ...observability, service: 'grafana', localPort: 3000, login: true },
  { name: 'argocd', namespace: 'argocd', service: 'argocd-server', port: 'http', localPort: 8081, login: true },
  ...(api
    ? [{ name: apiName, namespace: api.namespace, service: api.service, port: 'http', localPort: 3001, path: '/info' }]
    : []),
];

/** The word for the ingress controller as a whole, where the cluster publishes no port on this machine. */
export const ingressName = 'ingress';

/** The way in to all that the ingress serves, under the same addresses as on a cluster of kind. */
export function ingressDestination(controller: { namespace: string; service: string }, port: number): Destination {
  return {
    name: ingressName,
    ...controller,
    port: 'https',
    localPort: port,
    url: `https://api.localhost:${port}/info`,
  };
}

/**
 * The port of each destination: its own, or what `--port` says for it, as `9091` where there is one destination, or as
 * `grafana=3001,argocd=8082`.
 *
 * @throws UsageError for what makes no sense, and for a port that two of them would share.
 */
export function portsFor(chosen: readonly Destination[], text: string | undefined): Map<Destination, number> {
  const ports = new Map(chosen.map((destination) => [destination, destination.localPort]));
  const [first] = chosen;
  const form = chosen.length === 1 ? `${first?.name} --port 9091` : `--port ${first?.name}=9091`;
  const refuse = (message: string) => new UsageError(message, `npm run port-forward -- ${form}`);
  for (const part of text?.split(',') ?? []) {
    const [, name, number = ''] = /^(?:([^=]*)=)?(.*)$/.exec(part) ?? [];
    const only = name === undefined && chosen.length === 1 ? first : undefined;
    const destination = chosen.find((one) => one.name === name) ?? only;
    if (!destination) throw refuse(`--port ${part} names nothing that is forwarded.`);
    if (!/^\d{1,5}$/.test(number) || Number(number) > 65535) throw refuse(`"${number}" in --port ${part} is no port.`);
    ports.set(destination, Number(number));
  }
  for (const [destination, port] of ports) {
    const other = [...ports].find(([one, taken]) => one !== destination && taken === port && port !== 0);
    if (other) throw refuse(`${destination.name} and ${other[0].name} can't both have the port ${port}.`);
  }
  return ports;
}

/**
 * The same with a free port in place of each 0, all of them different. Another port than the one that was named would lead
 * bookmarks and scripts astray, so nothing is chosen in place of one that is taken.
 *
 * @throws UsageError that names who has a port.
 */
export async function choosePorts(
  exec: Exec,
  ports: ReadonlyMap<Destination, number>,
): Promise<Map<Destination, number>> {
  const chosen = new Map(ports);
  // Held until all are chosen: the system would give the same port twice.
  const held: Server[] = [];
  try {
    for (const [destination, port] of ports) {
      if (port !== 0) await assertPortFree(exec, destination, port);
      while (chosen.get(destination) === 0) {
        const server = createServer();
        held.push(server);
        await new Promise<void>((resolve, reject) => {
          server.once('error', reject).listen({ host: '127.0.0.1', port: 0 }, resolve);
        });
        const free = (server.address() as AddressInfo).port;
        if (![...chosen.values()].includes(free)) chosen.set(destination, free);
      }
    }
    return chosen;
  } finally {
    await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
  }
}

/** @throws UsageError that names who has the port, or says that this user may not open it. */
export async function assertPortFree(exec: Exec, { name }: Destination, port: number): Promise<void> {
  const state = await probePort(port);
  if (state === 'free') return;
  const another = `choose another: npm run port-forward -- ${name} --port ${port + 1000 <= 65535 ? port + 1000 : 9090}`;
  if (state === 'forbidden')
    throw new UsageError(`This user may not open port ${port}, as it is below 1024.`, `C${another.slice(1)}`);
  const holder = await portHolder(exec, port);
  throw new UsageError(`Port ${port} of 127.0.0.1, for ${name}, is taken by ${holder?.who ?? 'another process'}.`, {
    id: 'ports-taken',
    hint: `${holder?.stop ?? 'Stop that process'}, or ${another}`,
  });
}
