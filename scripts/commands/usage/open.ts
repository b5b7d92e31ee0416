import { siteNames } from '../../components/site-names.ts';
import type { Command } from '../command.ts';

export const openCommand: Command = {
  name: 'open',
  summary: 'Open the API, Argo CD, Prometheus or Grafana in the browser.',
  description: [
    'Opens the address that the ingress answers at, with xdg-open, open (macOS) or wslview (Windows). Where there is no',
    'browser, prints the address and says so. Without a name, lists the addresses.',
  ].join('\n'),
  flags: { json: { type: 'boolean', description: 'Print as JSON, and open nothing.' } },
  words: siteNames,
  examples: ['npm run open -- grafana', 'npm run open', 'npm run --silent open -- --json'],
  run: async (invocation) => (await import('../open.ts')).runOpen(invocation),
};
