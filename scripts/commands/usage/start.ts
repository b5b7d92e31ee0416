import type { Command } from '../command.ts';
import { checkFlags, lockFlags } from './flags.ts';

export const startCommand: Command = {
  name: 'start',
  summary: 'Wake a cluster that npm run stop, or a reboot, has stopped.',
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
  run: async (invocation) => (await import('../start.ts')).runStart(invocation),
};
