import { connect, createServer, type Socket } from 'node:net';

/**
 * A port of this machine that stays open while what is behind it changes. Who comes while nothing is behind it waits, and
 * notices a delay where kubectl alone would have refused.
 */
export interface Door {
  port: number;
  /** Where new connections lead to from now on: a port of 127.0.0.1, or nowhere yet. Those that are open stay. */
  lead(to: number | undefined): void;
  /** Resolves once no connection leads to that port any more, or after so many milliseconds. */
  idle(to: number, patience: number): Promise<void>;
  /** Ends every connection, and gives the port back. */
  close(): Promise<void>;
}

/** Milliseconds that a connection waits for something to be behind the door. */
const patience = 30_000;

/** Listens on a port of 127.0.0.1; 0 has the system choose one. Throws what the system says, as EADDRINUSE. */
export async function openDoor(port: number): Promise<Door> {
  const open = new Map<Socket, number | undefined>();
  const waiting = new Set<() => void>();
  let upstream: number | undefined;

  /** The next thing to lead to, once it is another one than what was tried; undefined where the wait was in vain. */
  const next = async (client: Socket, tried: number | undefined, deadline: number): Promise<number | undefined> => {
    while (upstream === undefined || upstream === tried) {
      const left = deadline - performance.now();
      if (left <= 0 || client.destroyed) return undefined;
      let wake = () => {};
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      waiting.add(wake);
      await Promise.race([woken, after(left), ended(client)]);
      waiting.delete(wake);
    }
    return client.destroyed ? undefined : upstream;
  };
  const receive = async (client: Socket) => {
    open.set(client, undefined);
    client.on('close', () => open.delete(client));
    client.on('error', () => client.destroy());
    const deadline = performance.now() + patience;
    for (let to = await next(client, undefined, deadline); to !== undefined; to = await next(client, to, deadline)) {
      const behind = await reach(to);
      // The tunnel has just ended: nothing was said yet, so that the next one can take the connection.
      if (!behind) continue;
      open.set(client, to);
      join(client, behind);
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
      const leading = [...open].filter(([, behind]) => behind === to).map(([client]) => ended(client));
      await Promise.race([Promise.all(leading), after(longest)]);
    },
    async close() {
      for (const client of open.keys()) client.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function reach(port: number): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
    socket.once('connect', () => resolve(socket));
    socket.once('error', () => resolve(undefined));
  });
}

function join(client: Socket, behind: Socket): void {
  if (client.destroyed) behind.destroy();
  behind.on('error', () => client.destroy());
  behind.on('close', () => client.destroySoon());
  client.on('close', () => behind.destroy());
  client.pipe(behind);
  behind.pipe(client);
}

function ended(client: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (client.destroyed) resolve();
    else client.once('close', () => resolve());
  });
}

function after(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds).unref();
  });
}
