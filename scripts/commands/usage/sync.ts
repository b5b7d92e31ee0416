import type { Command } from '../command.ts';
import { lockFlags } from './flags.ts';

export const syncCommand: Command = {
  name: 'sync',
  summary: 'Have the checked-out commit run now, and show what became of it.',
  description: [
    'Argo CD sees a commit by itself within ten seconds. This has it look at once, waits until the commit runs, and prints',
    'a receipt for each Application: what was synced, the image, the first answer through the ingress, and the seconds to',
    "each stage. A commit that can't be rendered, or whose pods don't get ready, ends with the reason. With GITOPS_REPO_URL",
    'it follows what was pushed, and says what was not.',
  ].join('\n'),
  flags: {
    watch: { type: 'boolean', description: 'Go on with each commit that comes, until Ctrl-C.' },
    app: { type: 'text', value: 'name', description: 'Wait for this Application alone.' },
    timeout: { type: 'seconds', description: 'How long a commit may take to run (default: 300).' },
    json: { type: 'boolean', description: 'Print the receipts as JSON, with --watch one in a line.' },
    verbose: { type: 'boolean', description: 'Show every command that is run.' },
    ...lockFlags,
  },
  examples: ['npm run sync', 'npm run sync -- --watch', 'npm run sync -- --app core-go --timeout 60'],
  run: async (invocation) => (await import('../sync.ts')).runSync(invocation),
};
