import { connect, createServer } from 'node:net';
import { CommandError, type Exec } from './exec.ts';

/** `localhost` may mean either: a browser would get to another program that listens on the other one. */
const addresses = ['127.0.0.1', '::1'] as const;
const timeoutMs = 500;

/** `forbidden`: free as far as one can see, but this user may not open it. */
type PortState = 'free' | 'taken' | 'forbidden';

/** Finds out by listening for a moment. Throws only what no port should bring up. */
export async function probePort(port: number): Promise<PortState> {
  const states = await Promise.all(addresses.map((address) => probeAddress(address, port)));
  return states.find((state) => state === 'taken') ?? states.find((state) => state === 'forbidden') ?? 'free';
}

async function probeAddress(address: string, port: number): Promise<PortState> {
  const failure = await tryListening(address, port);
  if (failure?.code === 'EADDRINUSE') return 'taken';
  // A machine without IPv6 has nobody there.
  if (failure?.code === 'EADDRNOTAVAIL' || failure?.code === 'EAFNOSUPPORT') return 'free';
  if (failure !== undefined && failure.code !== 'EACCES') throw failure;
  // macOS lets a second process listen on one address beside one that listens on every address: ask who answers.
  if (await answers(address, port)) return 'taken';
  return failure === undefined ? 'free' : 'forbidden';
}

function tryListening(address: string, port: number): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', resolve);
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

function answers(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: timeoutMs });
    const end = (answered: boolean) => {
      socket.destroy();
      resolve(answered);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
    socket.once('timeout', () => end(false));
  });
}

interface PortHolder {
  /** `the container "web"`, `nginx (process 12)`. */
  who: string;
  /** How to stop it. */
  stop: string;
}

/** Who listens on a TCP port, as far as this user may see it: a container, else a process. */
export async function portHolder(exec: Exec, port: number): Promise<PortHolder | undefined> {
  const ask = (...command: [string, ...string[]]) => outputOf(exec, command);
  const container = await ask('docker', 'ps', '--filter', `publish=${port}`, '--format', '{{.Names}}');
  const name = container.trim().split('\n')[0];
  // First, as the process would be Docker's own, which is not to be stopped.
  if (name) return { who: `the container "${name}"`, stop: `Stop it (docker stop ${name})` };

  const lsof = await ask('lsof', '-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fpc');
  const [, pid, command] = /^p(\d+)\n(?:.*\n)*?c(.+)$/m.exec(lsof) ?? [];
  if (pid && command) return processHolder(command, pid);

  const ss = await ask('ss', '-Hltnp', `sport = :${port}`);
  const [, ssCommand, ssPid] = /users:\(\("([^"]+)",pid=(\d+)/.exec(ss) ?? [];
  return ssCommand && ssPid ? processHolder(ssCommand, ssPid) : undefined;
}

function processHolder(command: string, pid: string): PortHolder {
  return { who: `${command} (process ${pid})`, stop: 'Stop it' };
}

/** Nothing where the program is missing, fails or hangs: then the next one is asked. */
async function outputOf(exec: Exec, command: [string, ...string[]]): Promise<string> {
  try {
    return (await exec(command, { nothrow: true, timeout: 10_000 })).stdout;
  } catch (error) {
    if (error instanceof CommandError) return '';
    throw error;
  }
}
