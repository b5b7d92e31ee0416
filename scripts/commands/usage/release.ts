import type { Command } from '../command.ts';
import { deliveryFlags } from './flags.ts';

const { timeout: _, ...flags } = deliveryFlags;

export const releaseCommand: Command = {
  name: 'release',
  summary: 'Lift the hold that a rollback put on a service.',
  description: [
    'Takes the note out of the values file and commits that, so that the service can be promoted again. The image that',
    'runs stays the same.',
  ].join('\n'),
  flags,
  operands: ['service'],
  examples: ['npm run release -- core-go', 'npm run release -- core-go --push'],
  run: async (invocation) => (await import('../release.ts')).runRelease(invocation),
};
