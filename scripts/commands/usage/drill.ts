import type { Command } from '../command.ts';
import { checkFlags, lockFlags } from './flags.ts';

export const drillCommand: Command = {
  name: 'drill',
  summary: 'Show on the live cluster that the platform keeps its promises.',
  description: [
    'Breaks things on purpose, one after another, and measures how long the platform takes to put them right: changes',
    'by hand, a bad image, a killed pod, evictions. Then it puts everything back and proves that all is as it was. It takes',
    'a minute or two, begins only where all is well, and touches no branch, file or index of yours: what takes commits is',
    'shown with commits that no branch knows of. Exit code 1 if a promise was not held.',
  ].join('\n'),
  flags: {
    only: { type: 'text', value: 'names', description: 'Show these alone, with commas between them.' },
    list: { type: 'boolean', description: 'Only list the promises, by name.' },
    yes: { type: 'boolean', typedOnly: true, description: 'Do not ask.' },
    timeout: { type: 'seconds', description: 'How long a single step may take (default: 300).' },
    json: { type: 'boolean', description: 'Print what was seen as JSON on standard output.' },
    verbose: { type: 'boolean', description: 'Show every command that is run.' },
    ...checkFlags,
    ...lockFlags,
  },
  examples: ['npm run drill', 'npm run drill -- --only self-heal,rollback --yes', 'npm run drill -- --list'],
  run: async (invocation) => (await import('../drill.ts')).runDrill(invocation),
};
