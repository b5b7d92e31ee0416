import { createContext } from '../context.ts';
import { deliver } from '../delivery/promote/deliver.ts';
import { planRollback, readRollbackFacts } from '../delivery/promote/rollback.ts';
import type { ExitCode } from '../lib/errors.ts';
import { findService } from '../repository/service-files.ts';
import { type Command, contextOptions, deliveryFlags, type Invocation } from './command.ts';

export const rollbackCommand: Command = {
  description: [
    'Finds the commit that promoted the service to its image and reverts it: all of it, or only the lines of this service',
    'where that commit changed more. Run it again to go further back. The same commit puts the service on hold in its',
    'values file, which blocks further promotions until npm run resume.',
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
    'npm run rollback -- core-go --dry-run',
  ],
  interrupted: 'What was committed by then is deployed all the same: npm run history shows it.',
  run: runRollback,
};

/** It asks no registry: the image ran here before, and you are waiting. */
async function runRollback(invocation: Invocation): Promise<ExitCode> {
  const { config, flags, signal, operands: [word = ''] = [] } = invocation;
  return deliver(invocation, (note) => createContext(config, contextOptions(invocation, note)), {
    name: 'rollback',
    services: [await findService(createContext(config, { signal }), word)],
    plan: async ([state], workspace) => {
      if (!state) throw new Error('a rollback is of one service');
      const tag = typeof flags.to === 'string' ? flags.to : undefined;
      return planRollback(state, await readRollbackFacts(workspace, state), tag);
    },
  });
}
