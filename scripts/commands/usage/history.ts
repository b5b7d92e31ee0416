import type { Command } from '../command.ts';

export const historyCommand: Command = {
  name: 'history',
  summary: 'Show every image that a service was given, and which one runs now.',
  description: [
    'Reads from Git what promote, rollback, the CI of the platform, and people by hand made of the image in the values file,',
    'newest first. The age of an image comes from its registry, and what runs from the cluster, where these can be asked.',
  ].join('\n'),
  flags: { json: { type: 'boolean', description: 'Print as JSON.' } },
  operands: ['service'],
  examples: ['npm run history -- core-go', 'npm run --silent history -- core-go --json | jq .entries[0]'],
  run: async (invocation) => (await import('../history.ts')).runHistory(invocation),
};
