import type { Command } from '../command.ts';
import { lockFlags } from './flags.ts';

export const stopCommand: Command = {
  name: 'stop',
  summary: 'Put the cluster to sleep: it keeps what it has, and takes no CPU and no memory.',
  description: [
    'Stops the node container. What is in the cluster stays on the disk, and its ports are free meanwhile. npm run start has',
    'it serve again within seconds, also after this machine was started anew. npm run forward ends by itself.',
  ].join('\n'),
  flags: {
    timeout: { type: 'seconds', description: 'How long to wait for Docker, and for another command (default: 120).' },
    json: { type: 'boolean', description: 'Print what was done as JSON on standard output.' },
    ...lockFlags,
  },
  examples: ['npm run stop', 'CLUSTER_NAME=second npm run stop'],
  run: async (invocation) => (await import('../stop.ts')).runStop(invocation),
};
