import { passwordSites } from '../../components/site-names.ts';
import type { Command } from '../command.ts';

export const passwordsCommand: Command = {
  name: 'passwords',
  summary: 'Show the passwords of Argo CD and Grafana.',
  description: 'Reads the passwords of the user admin from the cluster. With a name, prints that password alone.',
  flags: { json: { type: 'boolean', description: 'Print as JSON.' } },
  words: passwordSites,
  examples: ['npm run passwords', 'npm run --silent passwords -- argocd'],
  run: async (invocation) => (await import('../passwords.ts')).runPasswords(invocation),
};
