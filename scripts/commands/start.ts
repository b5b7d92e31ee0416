import { preflight } from '../checks/doctor/preflight.ts';
import { upSummary } from '../checks/status.ts';
import { noCluster } from '../cluster/cluster.ts';
import { assertNoTargetContext } from '../cluster/existing-cluster.ts';
import { ownContainer } from '../cluster/node.ts';
import { startOwnCluster, waitUntilServing } from '../components/cluster-start.ts';
import { componentsFor } from '../components/index.ts';
import { ExitCode } from '../lib/errors.ts';
import { assertNoFailures, runGraph } from '../lib/tasks.ts';
import { timed } from '../lib/terminal/progress.ts';
import { type Command, checkFlags, type Invocation, lockFlags } from './command.ts';
import { changeCluster } from './session.ts';

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
  const { config, flags, print } = invocation;
  assertNoTargetContext(config, 'start', 'who runs it, starts it');
  const started = performance.now();
  return changeCluster(invocation, 'start', async (context, progress) => {
    const container = await ownContainer(context);
    if (!container) throw noCluster(context);
    for (const warning of (await preflight(context)).warnings) progress.note(`! ${warning}`);
    const woken = await timed(
      progress,
      'cluster',
      () => startOwnCluster(context, container),
      (what) => what.join(', ') || 'it ran already',
    );
    const others = componentsFor(config).filter(({ name }) => name !== 'cluster');
    const tasks = others.map((component) => ({
      name: component.name,
      needs: [],
      run: () => timed(progress, component.name, () => waitUntilServing(context, component)),
    }));
    assertNoFailures(await runGraph(tasks));
    progress.stop();
    const seconds = Math.round(performance.now() - started) / 1000;
    print(
      flags.json ? JSON.stringify({ ready: true, seconds, woken }) : await upSummary(context, seconds, woken.length),
    );
    return ExitCode.done;
  });
}
