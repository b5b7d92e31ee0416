import { connect, createServer, type Socket } from 'node:net';
import { UsageError } from '../../lib/errors.ts';
import type { Exec } from '../../lib/exec.ts';
import { portHolder, probePort } from '../../lib/ports.ts';
import type { Destination } from './destinations.ts';

/**
 * A port of this machine that stays open while what is behind it changes. Who comes while nothing is behind it waits, and
 * notices a delay where kubectl alone would have refused.
 */
export interface PortProxy {
  port: number;
  /** Where new connections lead to from now on: a port of 127.0.0.1, or nowhere yet. Those that are open stay. */
  lead(to: number | undefined): void;
  /** Resolves once no connection leads to that port any more, or after so many milliseconds. */
  idle(to: number, patience: number): Promise<void>;
  /** Ends every connection, and gives the port back. */
  close(): Promise<void>;
}

/** Milliseconds that a connection waits for something to be behind the proxy. */
const connectTimeoutMs = 30_000;

/** Listens on a port of 127.0.0.1; 0 has the system choose one. Throws what the system says, as EADDRINUSE. */
export async function openProxy(port: number): Promise<PortProxy> {
  const open = new Map<Socket, number | undefined>();
  const waiting = new Set<() => void>();
  let upstream: number | undefined;

  /** The next thing to lead to, once it is another one than what was tried; undefined where the wait timed out. */
  const next = async (client: Socket, tried: number | undefined, deadline: number): Promise<number | undefined> => {
    while (upstream === undefined || upstream === tried) {
      const left = deadline - performance.now();
      if (left <= 0 || client.destroyed) return undefined;
      let wake = () => {};
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      waiting.add(wake);
      await Promise.race([woken, delay(left), closed(client)]);
      waiting.delete(wake);
    }
    return client.destroyed ? undefined : upstream;
  };
  const receive = async (client: Socket) => {
    open.set(client, undefined);
    client.on('close', () => open.delete(client));
    client.on('error', () => client.destroy());
    const deadline = performance.now() + connectTimeoutMs;
    for (let to = await next(client, undefined, deadline); to !== undefined; to = await next(client, to, deadline)) {
      const behind = await connectTo(to);
      // The tunnel has just ended: nothing was said yet, so that the next one can take the connection.
      if (!behind) continue;
      open.set(client, to);
      pipeBoth(client, behind);
      return;
    }
    client.destroy();
  };

  // Half open: who has sent a whole request and closes its side still gets the answer.
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => void receive(client));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port, exclusive: true }, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    lead(to) {
      upstream = to;
      for (const wake of waiting) wake();
    },
    async idle(to, longest) {
      const leading = [...open].filter(([, behind]) => behind === to).map(([client]) => closed(client));
      await Promise.race([Promise.all(leading), delay(longest)]);
    },
    async close() {
      for (const client of open.keys()) client.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function connectTo(port: number): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
    socket.once('connect', () => resolve(socket));
    socket.once('error', () => resolve(undefined));
  });
}

function pipeBoth(client: Socket, behind: Socket): void {
  if (client.destroyed) behind.destroy();
  behind.on('error', () => client.destroy());
  behind.on('close', () => client.destroySoon());
  client.on('close', () => behind.destroy());
  client.pipe(behind);
  behind.pipe(client);
}

function closed(client: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (client.destroyed) resolve();
    else client.once('close', () => resolve());
  });
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds).unref();
  });
}

/**
 * The port of each destination: its own, or what `--port` says for it, as `9091` where there is one destination, or as
 * `grafana=3001,argocd=8082`. Throws a `UsageError` for what makes no sense, and for a port that two of them would share.
 */
export function portsFor(chosen: readonly Destination[], text: string | undefined): Map<Destination, number> {
  const ports = new Map(chosen.map((destination) => [destination, destination.localPort]));
  for (const part of text?.split(',') ?? []) {
    const [, name, number = ''] = /^(?:([^=]*)=)?(.*)$/.exec(part) ?? [];
    const destination = chosen.find((one) => one.name === name) ?? (name === undefined ? onlyOne(chosen) : undefined);
    if (!destination) throw portUsage(`--port ${part} names nothing that is forwarded.`, chosen);
    if (!/^\d{1,5}$/.test(number) || Number(number) > 65535)
      throw portUsage(`"${number}" in --port ${part} is no port.`, chosen);
    ports.set(destination, Number(number));
  }
  for (const [destination, port] of ports) {
    const other = [...ports].find(([one, taken]) => one !== destination && taken === port && port !== 0);
    if (other) throw portUsage(`${destination.name} and ${other[0].name} can't both have the port ${port}.`, chosen);
  }
  return ports;
}

function onlyOne(chosen: readonly Destination[]): Destination | undefined {
  return chosen.length === 1 ? chosen[0] : undefined;
}

function portUsage(message: string, chosen: readonly Destination[]): UsageError {
  const [first] = chosen;
  const form = chosen.length === 1 ? `${first?.name} --port 9091` : `--port ${first?.name}=9091`;
  return new UsageError(message, `npm run forward -- ${form}`);
}

/**
 * Opens all proxies, or none: another port than the one that was named would lead bookmarks and scripts astray, so nothing
 * is chosen in place of one that is taken. Throws a `UsageError` that names who has it.
 */
export async function openProxies(
  exec: Exec,
  ports: ReadonlyMap<Destination, number>,
): Promise<Map<Destination, PortProxy>> {
  const proxies = new Map<Destination, PortProxy>();
  try {
    for (const [destination, port] of ports) proxies.set(destination, await openProxyFor(exec, destination, port));
    return proxies;
  } catch (error) {
    await Promise.all([...proxies.values()].map((proxy) => proxy.close()));
    throw error;
  }
}

async function openProxyFor(exec: Exec, { name }: Destination, port: number): Promise<PortProxy> {
  const another = `choose another: npm run forward -- ${name} --port ${port + 1000 <= 65535 ? port + 1000 : 9090}`;
  try {
    // Asked first: macOS lets a second process listen on 127.0.0.1 beside one that listens on every address.
    if (port === 0 || (await probePort(port)) === 'free') return await openProxy(port);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
  }
  if ((await probePort(port)) === 'forbidden')
    throw new UsageError(`This user may not open port ${port}, as it is below 1024.`, `C${another.slice(1)}`);
  const holder = await portHolder(exec, port);
  throw new UsageError(
    `Port ${port} of 127.0.0.1, for ${name}, is taken by ${holder?.who ?? 'another process'}.`,
    `${holder?.stop ?? 'Stop that process'}, or ${another}`,
  );
}
