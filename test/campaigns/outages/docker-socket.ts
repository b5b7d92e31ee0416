import { chmodSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';

export interface DockerSocket {
  /** For DOCKER_HOST. */
  address: string;
  /** From now on nobody listens, and every connection is cut: as if Docker had been stopped. */
  cut(): void;
}

/** A way to Docker that can be cut off without harm to Docker itself. One that is silent takes connections and never answers. */
export async function startDockerSocket(path: string, { silent = false } = {}): Promise<DockerSocket> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const keep = (socket: Socket) => {
      open.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => open.delete(socket));
    };
    keep(client);
    if (silent) return;
    const docker = createConnection({ path: '/var/run/docker.sock', allowHalfOpen: true });
    keep(docker);
    client.pipe(docker).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  chmodSync(path, 0o666);
  return {
    address: `unix://${path}`,
    cut() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}
