import { connect, createServer } from 'node:net';

const address = '127.0.0.1';
const patience = 500;

/** `forbidden`: free as far as one can see, but this user may not open it. */
export type PortState = 'free' | 'taken' | 'forbidden';

/** Finds out by listening for a moment. Throws only what no port should bring up. */
export async function probePort(port: number): Promise<PortState> {
  const failure = await tryListening(port);
  if (failure?.code === 'EADDRINUSE') return 'taken';
  if (failure !== undefined && failure.code !== 'EACCES') throw failure;
  // macOS lets a second process listen on 127.0.0.1 beside one that listens on every address: ask who answers.
  if (await answers(port)) return 'taken';
  return failure === undefined ? 'free' : 'forbidden';
}

function tryListening(port: number): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', resolve);
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: patience });
    const end = (answered: boolean) => {
      socket.destroy();
      resolve(answered);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
    socket.once('timeout', () => end(false));
  });
}
