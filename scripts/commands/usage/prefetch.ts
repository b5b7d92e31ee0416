import type { Command } from '../command.ts';
import { checkFlags } from './flags.ts';

export const prefetchCommand: Command = {
  name: 'prefetch',
  summary: 'Fetch everything that up needs, for a journey without a network.',
  description: [
    'Fetches the tools, the node image, the manifests and every image that these settings ask for, and builds the stand-ins.',
    'Afterwards npm run up works without a network. No cluster is made: the images are pulled in a container of the node',
    'image, which is gone at the end. What is there already is not fetched again. The images of the services themselves are',
    'pulled by each cluster with its own token, so without a network there are the stand-ins (GHCR_CREDENTIALS=none).',
  ].join('\n'),
  flags: {
    timeout: { type: 'seconds', description: 'How long a single download may take (default: 300).' },
    json: { type: 'boolean', description: 'Print what was fetched as JSON on standard output.' },
    verbose: { type: 'boolean', description: 'Show every command that is run.' },
    ...checkFlags,
  },
  examples: ['npm run prefetch', 'ALERTMANAGER=true npm run prefetch', 'npm run prefetch -- --timeout 1800'],
  run: async (invocation) => (await import('../prefetch.ts')).runPrefetch(invocation),
};
