import { existsSync, rmdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import { checkDocker } from '../checks/docker.ts';
import { deleteCluster } from '../components/cluster-creation.ts';
import { nodeContainer, ownContainer } from '../components/cluster-ownership.ts';
import { createContext } from '../context.ts';
import { ExitCode, UserError } from '../lib/errors.ts';
import { createProgress } from '../lib/progress.ts';
import { lockCluster } from '../lock-cluster.ts';
import { checkContext, refuseProblems } from '../preflight.ts';
import type { Command, Invocation } from './command.ts';

export const down: Command = {
  name: 'down',
  summary: 'Delete the cluster and all that is in it.',
  description: [
    'Deletes the kind cluster of this checkout, in whatever state it is, and its private kubeconfig, and says what it',
    'removed. Other clusters are never touched. Images and downloads stay in their caches for the next npm run up.',
  ].join('\n'),
  flags: { json: { type: 'boolean', description: 'Print what was removed as JSON on standard output.' } },
  examples: ['npm run down', 'CLUSTER_NAME=second npm run down'],
  run: runDown,
};

async function runDown({ config, flags, signal, print, progressStream }: Invocation): Promise<ExitCode> {
  const context = createContext(config, { signal });
  refuseProblems([await checkDocker(checkContext(context, true))].flat());
  const container = await ownContainer(context);
  const removed: string[] = [];
  const progress = createProgress(progressStream);
  const unlock = lockCluster(config);
  try {
    if (container) {
      const started = performance.now();
      progress.start(`deleting ${config.clusterName}`);
      await deleteCluster(context);
      if (await nodeContainer(context)) {
        throw new UserError(`The container ${context.node} is still there.`, {
          hint: `docker rm -f -v ${context.node}`,
        });
      }
      progress.done('cluster', (performance.now() - started) / 1000, 'deleted');
      removed.push(`cluster ${config.clusterName} (container ${context.node} and its volume)`);
    }
    if (container || existsSync(config.stateDir)) {
      await rm(config.stateDir, { recursive: true, force: true });
      removed.push(`private kubeconfig (${relative(config.root, config.stateDir)})`);
    }
  } finally {
    progress.stop();
    unlock();
    removeIfEmpty(dirname(config.stateDir));
  }
  if (flags.json) print(JSON.stringify({ removed }, undefined, 2));
  else if (removed.length === 0) print(`Nothing to remove: there is no cluster ${config.clusterName}.`);
  else print(['Removed:', ...removed.map((what) => `  ${what}`)].join('\n'));
  return ExitCode.done;
}

/** Other clusters of this checkout may have their folders beside ours. */
function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}
