import { createContext } from '../context.ts';
import { deliver } from '../delivery/promote/deliver.ts';
import { planPromotion } from '../delivery/promote/plan.ts';
import type { ExitCode } from '../lib/errors.ts';
import { assertTag, findServices } from '../repository/service-files.ts';
import { type Command, contextOptions, deliveryFlags, type Invocation } from './command.ts';

export const promoteCommand: Command = {
  description: [
    'Checks that the image exists, and for the processors of the node; without a token, builds stand-ins for it. Then it',
    'edits image.tag in helm/<service>/values.yaml, and nothing else, commits "chore: promote images <sha>", and waits',
    'until that runs. The commit is made in a temporary clone and holds these files alone; the index has to be clean. A',
    'service that was rolled back is on hold, and refused, until npm run resume. docs/promote-workflow.yml is the',
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
  interrupted: 'What was committed by then is deployed all the same: npm run history shows it.',
  run: runPromote,
};

async function runPromote(invocation: Invocation): Promise<ExitCode> {
  const { config, flags, signal, operands: [word = '', tag = ''] = [] } = invocation;
  const services = await findServices(createContext(config, { signal }), word);
  for (const service of services) await assertTag(config.root, service, tag);
  return deliver(invocation, (note) => createContext(config, contextOptions(invocation, note)), {
    name: 'promote',
    services,
    plan: (states) => planPromotion(states, { tag, force: flags.force === true }),
    asksRegistry: true,
  });
}
