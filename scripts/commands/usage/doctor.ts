import type { Command } from '../command.ts';
import { checkFlags } from './flags.ts';

export const doctorCommand: Command = {
  name: 'doctor',
  summary: 'Check this machine and every component, with a remedy for each trouble.',
  description: [
    'Checks what the platform needs of this machine, then every component if there is a cluster, and says what to do',
    'about each trouble. Changes nothing, but fetches kind, kubectl and helm where they are missing. Exit code 0 if all',
    'is well, 1 if a component is not, 2 if this machine is not.',
  ].join('\n'),
  flags: { json: { type: 'boolean', description: 'Print the findings as JSON.' }, ...checkFlags },
  examples: ['npm run doctor'],
  run: async (invocation) => (await import('../doctor.ts')).runDoctor(invocation),
};
