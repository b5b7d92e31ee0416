import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { takeCharge, waiting } from '../lib/processes/children.ts';
import type { Context } from './context.ts';

/**
 * What runs in the container: containerd, until standard input ends. That happens when we do, however we end, so the
 * container never outlives us.
 */
const untilInputEnds = 'containerd > /dev/null 2>&1 & read -r line; kill $!; wait';

/**
 * Runs a container of the node image in which nothing but containerd runs, which pulls and exports images as a node does,
 * while `work` is done with the container's name. It is gone afterwards, with all that it held. Throws what `work` throws.
 */
export async function withContainerd<T>(context: Context, work: (container: string) => Promise<T>): Promise<T> {
  const { config, signal } = context;
  const container = `${config.clusterName}-prefetch`;
  // Unlike a node it needs no privilege: what is fetched stays packed. It reaches registries as this machine does.
  const options = ['--rm', '--interactive', '--network', 'host', '--volume', '/var', '--name', container];
  const entry = ['--entrypoint', 'bash', config.nodeImage, '-c', untilInputEnds];
  const [file, ...args] = waiting(['docker', 'run', ...options, ...entry]);
  const running = spawn(file, args, {
    env: config.childEnv,
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
  });
  const ended = once(running as ChildProcess, 'close').catch(() => {});
  takeCharge(running as ChildProcess, signal);
  running.stdin?.on('error', () => {});
  try {
    return await work(container);
  } finally {
    running.stdin?.end();
    await ended;
  }
}
