import { forwardItems } from '../cluster/cleanup.ts';
import { assertNoTargetContext } from '../cluster/existing-cluster.ts';
import { ownContainer, stopNode } from '../cluster/node.ts';
import { ExitCode } from '../lib/errors.ts';
import { type Command, type Invocation, lockFlags } from './command.ts';
import { changeCluster } from './session.ts';

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
  const { config, flags, print } = invocation;
  assertNoTargetContext(config, 'stop', 'who runs it, stops it');
  const timeout = typeof flags.timeout === 'number' ? flags.timeout : defaultTimeoutSeconds;
  const stop: Parameters<typeof changeCluster>[2] = async (context, progress) => {
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
      return tell(false, `The cluster ${config.clusterName} is stopped already. npm run start starts it again.`);
    progress.start(`stopping ${config.clusterName}`);
    for (const forwarder of forwardItems(config)) await forwarder.remove?.();
    await stopNode(context, container);
    return tell(
      true,
      `The cluster ${config.clusterName} is stopped, with all that is in it. npm run start starts it again.`,
    );
  };
  return changeCluster(invocation, 'stop', stop, { timeout, offline: true });
}
