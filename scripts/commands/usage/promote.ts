import type { Command } from '../command.ts';
import { deliveryFlags } from './flags.ts';

export const promoteCommand: Command = {
  name: 'promote',
  summary: 'Give a service, or all of them, the image of a commit, and wait until it runs.',
  description: [
    'Checks that the image exists, and for the processors of the node; without a token, builds stand-ins for it. Then it',
    'edits image.tag in helm/<service>/values.yaml, and nothing else, commits "chore: promote images <sha>", and waits',
    'until that runs. The index has to be clean, and nobody else is swept in: the commit holds these files alone. A',
    'service that was rolled back is on hold, and refused, until npm run release. docs/promote-workflow.yml is the',
    'workflow that runs it in the platform repository.',
  ].join('\n'),
  flags: {
    ...deliveryFlags,
    force: { type: 'boolean', description: 'Promote over a hold, and remove it.', typedOnly: true },
    'from-ci': {
      type: 'boolean',
      description: 'For GitHub Actions: no cluster, no lock, outputs and a summary for the workflow.',
    },
  },
  operands: ['service|all', 'sha'],
  examples: [
    'npm run promote -- core-go a1b2c3d',
    'npm run promote -- all a1b2c3d --push',
    'npm run promote -- all a1b2c3d --from-ci --push',
  ],
  run: async (invocation) => (await import('../promote.ts')).runPromote(invocation),
};
