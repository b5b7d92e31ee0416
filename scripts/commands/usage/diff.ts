import { ExitCode } from '../../lib/errors.ts';
import type { Command } from '../command.ts';

export const diffCommand: Command = {
  name: 'diff',
  summary: 'Show what the working tree would change in the cluster, before it is committed.',
  description: [
    "Renders the charts of the working tree with Argo CD's own Helm, asks the API server what applying that would change,",
    'as a dry run, and adds what would be pruned and what would restart. New files count, those that Git ignores do not.',
    'The manifests outside of helm/ belong to npm run up: what that would change is told apart. Nothing is changed.',
    'Exit code 0 if nothing would change, 1 if something would, 2 if not everything could be compared.',
  ].join('\n'),
  flags: {
    app: { type: 'text', value: 'name', description: 'Look at this Application alone.' },
    json: { type: 'boolean', description: 'Print the differences as JSON.' },
    verbose: { type: 'boolean', description: 'Show every command that is run.' },
  },
  failure: ExitCode.usage,
  examples: ['npm run diff', 'npm run diff -- --app core-go', 'npm run --silent diff -- --json | jq .applications'],
  run: async (invocation) => (await import('../diff.ts')).runDiff(invocation),
};
