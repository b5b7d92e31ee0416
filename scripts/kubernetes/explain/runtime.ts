import { type DockerContainer, findContainer } from '../../lib/docker/containers.ts';
import { UsageError, UserError } from '../../lib/errors.ts';
import type { ClusterContext } from '../context.ts';
import { diskNearlyFull, outOfMemory } from './pod-problem.ts';

/**
 * What a cluster runs on decides what to do where it fails: on a container of this machine's Docker, or on machines that
 * others run, of which only they can tell more.
 *
 * @returns where to look for the reason, and what to do where nothing else helps, each as half a sentence; and what to do
 * where a node's disk or memory is nearly used up, if that can be told from here.
 */
export function runtimeAdvice({ target, node, kubeContext }: ClusterContext) {
  if (target !== undefined)
    return {
      tellsWhy: `kubectl --context ${kubeContext} get nodes, or whoever runs that cluster, may tell why`,
      lastResort: 'npm run up continues where it stopped.',
    };
  return {
    tellsWhy: `docker logs ${node} may tell why`,
    lastResort: 'npm run down && npm run up starts afresh.',
    diskFull: diskNearlyFull,
    memoryFull: outOfMemory,
  };
}

/** @throws UserError where the API server is silent because its node does not run any more, so that it will not answer. */
export async function assertNodeRunning(context: ClusterContext): Promise<void> {
  if (context.target !== undefined) return;
  const state = (await nodeContainer(context))?.state ?? 'gone';
  if (state === 'running' || state === 'restarting') return;
  throw new UserError(`The node container ${context.node} is ${state}: the cluster was stopped meanwhile.`, {
    id: 'node-stopped',
    hint:
      state === 'gone'
        ? 'npm run up creates the cluster again.'
        : 'Run the command again: it starts the node and continues where it stopped.',
  });
}

/** Whether the node was deleted, as far as that can be told. */
export async function isNodeGone(context: ClusterContext): Promise<boolean> {
  try {
    return context.target === undefined && (await nodeContainer(context)) === undefined;
  } catch (error) {
    // Docker may be restarting just now, and the cluster with it.
    if (error instanceof UsageError) return false;
    throw error;
  }
}

/** How many processes of the node the kernel killed in the last minutes for lack of memory, as far as that can be told. */
export async function killedForMemory({ exec, node, target }: ClusterContext): Promise<number> {
  if (target !== undefined) return 0;
  const filters = [`--filter=container=${node}`, '--filter=event=oom'];
  const { exitCode, stdout } = await exec(
    ['docker', 'events', '--since=15m', '--until=0s', ...filters, '--format={{.Action}}'],
    { nothrow: true, timeout: 30_000 },
  );
  return exitCode === 0 ? stdout.split('\n').filter((line) => line === 'oom').length : 0;
}

/**
 * The container of the cluster's node, whoever made it, or undefined, as for a cluster that is not on this machine. Throws a
 * `UserError` where Docker can't tell.
 */
export async function nodeContainer({ exec, node, target }: ClusterContext): Promise<DockerContainer | undefined> {
  return target === undefined ? findContainer(exec, node) : undefined;
}
