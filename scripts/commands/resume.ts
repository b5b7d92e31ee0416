import { createContext } from '../context.ts';
import { deliver } from '../delivery/promote/deliver.ts';
import { planRelease } from '../delivery/promote/plan.ts';
import type { ExitCode } from '../lib/errors.ts';
import { findService } from '../repository/service-files.ts';
import { type Command, contextOptions, deliveryFlags, type Invocation } from './command.ts';

const { timeout: _, ...flags } = deliveryFlags;

export const resumeCommand: Command = {
  description: [
    'Removes the hold from the values file and commits that, so that the service can be promoted again. The image that',
    'runs stays the same.',
  ].join('\n'),
  flags,
  operands: ['service'],
  examples: ['npm run resume -- core-go', 'npm run resume -- core-go --push'],
  run: runResume,
};

async function runResume(invocation: Invocation): Promise<ExitCode> {
  const { config, signal, operands: [word = ''] = [] } = invocation;
  const services = [await findService(createContext(config, { signal }), word)];
  return deliver(invocation, (note) => createContext(config, contextOptions(invocation, note)), {
    name: 'resume',
    services,
    plan: planRelease,
  });
}
