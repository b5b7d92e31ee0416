import { assertNoTargetContext } from '../cluster/existing-cluster.ts';
import { lockCluster } from '../cluster/lock.ts';
import { ownContainer, stopNode } from '../cluster/node.ts';
import { createContext } from '../context.ts';
import { ExitCode } from '../lib/errors.ts';
import { createProgress } from '../lib/terminal/progress.ts';
import { forwardItems } from './cleanup/processes.ts';
import { type Command, type Invocation, lockFlags } from './command.ts';

export const stopCommand: Command = {
  description: [
    'Stops the node container without deleting anything: the cluster stays on the disk, and its ports are free meanwhile.',
    'npm run start starts it again within seconds, also after a reboot. npm run port-forward ends by itself.',
  ].join('\n'),
  flags: {
    timeout: { type: 'seconds', description: 'How long to wait for Docker, and for another command (default: 120).' },
    json: { type: 'boolean', description: 'Print what was done as JSON on standard output.' },
    ...lockFlags,
  },
  examples: ['npm run stop', 'CLUSTER_NAME=second npm run stop'],
  run: runStop,
};

/** Seconds that stopping may take; usually it is some three. */
const defaultTimeoutSeconds = 120;

async function runStop(invocation: Invocation): Promise<ExitCode> {
  const { config, flags, signal, print, progressStream } = invocation;
  assertNoTargetContext(config, 'stop', 'who runs it, stops it');
  const timeout = typeof flags.timeout === 'number' ? flags.timeout : defaultTimeoutSeconds;
  const context = createContext(config, { signal, timeout, offline: true });
  const progress = await createProgress(progressStream);
  const unlock = await lockCluster(invocation, 'stop');
  try {
    const started = performance.now();
    const container = await ownContainer(context);
    const tell = (stopped: boolean, sentence: string) => {
      progress.stop();
      const seconds = Math.round(performance.now() - started) / 1000;
      print(flags.json ? JSON.stringify({ cluster: config.clusterName, stopped, seconds }) : sentence);
      return ExitCode.done;
    };
    if (!container) return tell(false, `Nothing to stop: there is no cluster ${config.clusterName}.`);
    if (['exited', 'created', 'dead'].includes(container.state))
      return tell(false, `The cluster ${config.clusterName} is stopped already. npm run start has it serve again.`);
    progress.start(`stopping ${config.clusterName}`);
    for (const forwarder of forwardItems(config)) await forwarder.remove?.();
    await stopNode(context, container);
    return tell(true, `The cluster ${config.clusterName} is stopped, with all that is in it. npm run start goes on.`);
  } finally {
    progress.stop();
    unlock();
  }
}
