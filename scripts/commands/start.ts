import { preflight } from '../checks/doctor/preflight.ts';
import { assertNoTargetContext } from '../cluster/existing-cluster.ts';
import { lockCluster } from '../cluster/lock.ts';
import { ownContainer } from '../cluster/node.ts';
import { startOwnCluster, waitUntilServing } from '../components/cluster-start.ts';
import { componentsFor } from '../components/index.ts';
import { createContext } from '../context.ts';
import { ExitCode, UserError } from '../lib/errors.ts';
import { assertNoFailures, runGraph } from '../lib/tasks.ts';
import { createProgress } from '../lib/terminal/progress.ts';
import { type Command, checkFlags, contextOptions, type Invocation, lockFlags } from './command.ts';
import { summary } from './summary.ts';

export const startCommand: Command = {
  description: [
    'Starts the node container and waits until everything in it serves again: every service answers and is scraped. It',
    'changes nothing in the cluster; what is missing there, or other settings than those it was made with, are for npm run',
    'up. A cluster that runs is only looked at.',
  ].join('\n'),
  flags: {
    timeout: { type: 'seconds', description: 'How long a single component may take (default: 300).' },
    json: { type: 'boolean', description: 'Print the result as JSON on standard output.' },
    verbose: { type: 'boolean', description: 'Show every command that is run.' },
    ...checkFlags,
    ...lockFlags,
  },
  examples: ['npm run start', 'CLUSTER_NAME=second npm run start'],
  run: runStart,
};

async function runStart(invocation: Invocation): Promise<ExitCode> {
  const { config, flags, print, progressStream } = invocation;
  assertNoTargetContext(config, 'start', 'who runs it, starts it');
  const started = performance.now();
  const since = (from: number) => Math.round(performance.now() - from) / 1000;
  const progress = await createProgress(progressStream);
  const context = createContext(config, contextOptions(invocation, progress.note));
  const unlock = await lockCluster(invocation, 'start');
  try {
    const container = await ownContainer(context);
    if (!container)
      throw new UserError(`There is no cluster ${config.clusterName} to start.`, {
        id: 'no-cluster',
        hint: 'npm run up creates one.',
      });
    for (const warning of (await preflight(context)).warnings) progress.note(`! ${warning}`);
    progress.start('cluster');
    const woken = await startOwnCluster(context, container);
    progress.done('cluster', since(started), woken.join(', ') || 'it ran already');
    const others = componentsFor(config).filter(({ name }) => name !== 'cluster');
    const tasks = others.map((component) => ({
      name: component.name,
      needs: [],
      run: async () => {
        progress.start(component.name);
        try {
          await waitUntilServing(context, component);
        } catch (error) {
          progress.failed(component.name, since(started));
          throw error;
        }
        progress.done(component.name, since(started));
      },
    }));
    assertNoFailures(await runGraph(tasks));
    progress.stop();
    const seconds = since(started);
    print(
      flags.json
        ? JSON.stringify({ ready: true, seconds, woken })
        : await summary(context, seconds, { changes: woken.length }),
    );
    return ExitCode.done;
  } finally {
    progress.stop();
    unlock();
  }
}
