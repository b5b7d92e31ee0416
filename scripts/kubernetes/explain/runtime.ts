import { type DockerContainer, findContainer } from '../../lib/docker/containers.ts';
import { UsageError, UserError } from '../../lib/errors.ts';
import type { ClusterContext } from '../context.ts';
import { diskNearlyFull, outOfMemory } from './pod-problem.ts';

/** What a cluster runs on, as far as it tells why nobody answers: a container of this machine's Docker, or machines elsewhere. */
export interface ClusterRuntime {
  /** Throws a `UserError` where the API server is silent because it doesn't run any more, so that nobody will answer. */
  assertRunning(context: ClusterContext): Promise<void>;
  /** Whether it was deleted, as far as that can be told. */
  isGone(context: ClusterContext): Promise<boolean>;
  /** How many processes the kernel killed in the last minutes for lack of memory, as far as that can be told. */
  killedForMemory(context: ClusterContext): Promise<number>;
  /** Where to look why it is as it is, as half a sentence. */
  tellsWhy(context: ClusterContext): string;
  /** What to do where nothing else helps, as half a sentence. */
  lastResort: string;
  /** What to do where a node's disk or memory is nearly used up, if that can be told from here. */
  diskFull?: string;
  memoryFull?: string;
}

/** What the cluster of this context runs on. */
export function runtimeOf({ target }: Pick<ClusterContext, 'target'>): ClusterRuntime {
  return target === undefined ? nodeRuntime : remoteRuntime;
}

const nodeRuntime: ClusterRuntime = {
  async assertRunning(context) {
    const state = (await nodeContainer(context))?.state ?? 'gone';
    if (state === 'running' || state === 'restarting') return;
    throw new UserError(`The node container ${context.node} is ${state}: somebody stopped the cluster meanwhile.`, {
      id: 'node-stopped',
      hint:
        state === 'gone'
          ? 'npm run up makes the cluster anew.'
          : 'Run the command again: it starts the node, and goes on where it stopped.',
    });
  },

  async isGone(context) {
    try {
      return (await nodeContainer(context)) === undefined;
    } catch (error) {
      // Docker may be restarting just now, and the cluster with it.
      if (error instanceof UsageError) return false;
      throw error;
    }
  },

  async killedForMemory({ exec, node }) {
    const filters = [`--filter=container=${node}`, '--filter=event=oom'];
    const { exitCode, stdout } = await exec(
      ['docker', 'events', '--since=15m', '--until=0s', ...filters, '--format={{.Action}}'],
      { nothrow: true, timeout: 30_000 },
    );
    return exitCode === 0 ? stdout.split('\n').filter((line) => line === 'oom').length : 0;
  },

  tellsWhy: ({ node }) => `docker logs ${node} may tell why`,
  lastResort: 'npm run down && npm run up starts afresh.',
  diskFull: diskNearlyFull,
  memoryFull: outOfMemory,
};

const remoteRuntime: ClusterRuntime = {
  // Only those who run it can tell.
  assertRunning: async () => {},
  isGone: async () => false,
  killedForMemory: async () => 0,
  tellsWhy: ({ kubeContext }) =>
    `kubectl --context ${kubeContext} get nodes, or whoever runs that cluster, may tell why`,
  lastResort: 'npm run up goes on where it stopped.',
};

/**
 * The container of the cluster's node, whoever made it, or undefined, as for a cluster that is not on this machine. Throws a
 * `UserError` where Docker can't tell.
 */
export async function nodeContainer({ exec, node, target }: ClusterContext): Promise<DockerContainer | undefined> {
  return target === undefined ? findContainer(exec, node) : undefined;
}
