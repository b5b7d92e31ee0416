import type { Command } from '../command.ts';
import { deliveryFlags } from './flags.ts';

export const rollbackCommand: Command = {
  name: 'rollback',
  summary: 'Take the last promotion of a service back, and wait until that runs.',
  description: [
    'Finds the commit that brought the image of the service, whoever made it, and takes it back: by git revert, or only',
    "this service's lines where that commit changed more. Run it again to go further back. The same commit puts a hold",
    'into the values file, which keeps promote from bringing the image in again: npm run release lifts it.',
  ].join('\n'),
  flags: {
    to: { type: 'text', value: 'sha', description: 'Go to this tag, which ran before, in place of the last one.' },
    ...deliveryFlags,
  },
  operands: ['service'],
  examples: [
    'npm run rollback -- core-go',
    'npm run rollback -- core-go --to 1df3b1f',
    'npm run rollback -- core-go --push',
  ],
  run: async (invocation) => (await import('../rollback.ts')).runRollback(invocation),
};
