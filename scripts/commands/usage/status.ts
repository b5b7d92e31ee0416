import type { Command } from '../command.ts';

export const statusCommand: Command = {
  name: 'status',
  summary: 'Show what runs, from which commit, and where.',
  description: 'Looks at every component, Application and scrape target. Exit code 0 only if all is well.',
  flags: {
    json: { type: 'boolean', description: 'Print the report as JSON.' },
    watch: { type: 'boolean', description: 'Look again every two seconds, until Ctrl-C.' },
  },
  examples: ['npm run status', 'npm run --silent status -- --json | jq .applications', 'npm run status -- --watch'],
  run: async (invocation) => (await import('../status.ts')).runStatus(invocation),
};
