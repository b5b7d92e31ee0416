import type { Command } from '../command.ts';
import { checkFlags, lockFlags } from './flags.ts';

export const resetCommand: Command = {
  name: 'reset',
  summary: 'Take the platform off the cluster, and keep the cluster.',
  description: [
    'Removes everything that npm run up installed, last things first, and then looks whether anything is left: exit',
    'code 1 if so. What somebody put into the cluster by hand is listed and kept, with the namespace that it is in; --all',
    "removes that, too, but nothing of Kubernetes' or kind's own. --apps only has Argo CD build the services anew;",
    '--cluster makes the whole cluster anew. Images stay in the node, so the next npm run up is quick.',
  ].join('\n'),
  flags: {
    all: { type: 'boolean', typedOnly: true, description: 'Remove what was put there by hand, too.' },
    apps: { type: 'boolean', description: 'Only delete what Argo CD deployed, and have it build that anew.' },
    cluster: { type: 'boolean', description: 'Delete the cluster and make it anew: npm run down and npm run up.' },
    'dry-run': { type: 'boolean', description: 'Only list what would be removed, object by object.' },
    yes: { type: 'boolean', typedOnly: true, description: 'Do not ask.' },
    timeout: { type: 'seconds', description: 'How long a single step may take (default: 300).' },
    json: { type: 'boolean', description: 'Print what was removed, kept and left as JSON on standard output.' },
    verbose: { type: 'boolean', description: 'Show every command that is run.' },
    ...checkFlags,
    ...lockFlags,
  },
  examples: ['npm run reset', 'npm run reset -- --dry-run', 'npm run reset -- --all --yes', 'npm run reset -- --apps'],
  run: async (invocation) => (await import('../reset.ts')).runReset(invocation),
};
