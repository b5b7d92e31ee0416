import type { Command } from '../command.ts';
import { checkFlags, lockFlags } from './flags.ts';

export const downCommand: Command = {
  name: 'down',
  summary: 'Delete the cluster and all that is in it.',
  description: [
    'Deletes the kind cluster of this checkout, in whatever state it is, and its private kubeconfig, and looks whether',
    'anything is left: exit code 1 if so. What npm run kubeconfig -- --merge put into your own goes too. Other clusters are',
    'never touched. Images and downloads stay for the next npm run up; --purge removes those as well, with the tools that',
    'were fetched, the stand-in images, and the local certificate authority with the trust of your browsers, which all your',
    'clusters of platform-ops share. With TARGET_CONTEXT it takes the platform off that cluster, which stays.',
  ].join('\n'),
  flags: {
    purge: { type: 'boolean', description: 'Remove caches, images and the certificate authority, too.' },
    yes: { type: 'boolean', typedOnly: true, description: 'Do not ask, before --purge or with TARGET_CONTEXT.' },
    'dry-run': { type: 'boolean', description: 'Only list what would be removed.' },
    timeout: { type: 'seconds', description: 'How long to wait for Docker, and for another command.' },
    json: { type: 'boolean', description: 'Print what was removed and what is left as JSON on standard output.' },
    ...checkFlags,
    ...lockFlags,
  },
  examples: ['npm run down', 'npm run down -- --purge --dry-run', 'CLUSTER_NAME=second npm run down'],
  run: async (invocation) => (await import('../down.ts')).runDown(invocation),
};
