import type { Command } from '../command.ts';

export const trustCommand: Command = {
  name: 'trust',
  summary: 'Show how to have browsers trust the local addresses.',
  description: [
    'The certificates of the local addresses are signed by an authority that `up` makes once for you, on this machine. This',
    'shows where it is and, for each system, how to have it trusted. It can vouch for localhost and what ends in .localhost',
    'only: nobody who gets hold of its key can deceive you about another site.',
  ].join('\n'),
  flags: {
    install: { type: 'boolean', description: 'Have it trusted where that needs no root rights.' },
    remove: { type: 'boolean', description: 'Undo that, also for an authority of ours that was replaced since.' },
    json: { type: 'boolean', description: 'Print as JSON.' },
  },
  examples: ['npm run trust', 'npm run trust -- --install', 'npm run trust -- --remove'],
  run: async (invocation) => (await import('../trust.ts')).runTrust(invocation),
};
