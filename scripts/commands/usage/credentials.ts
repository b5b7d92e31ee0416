import type { Command } from '../command.ts';
import { lockFlags } from './flags.ts';

export const credentialsCommand: Command = {
  name: 'credentials',
  summary: "Check, save and apply the token that pulls the services' images.",
  description: [
    'Looks for a token in the environment, in .env, in gh and in the login of Docker, and asks for one on a terminal.',
    'It is tried on every image that the values name before anything uses it; then a running cluster gets it, and the',
    'real images take the places of the stand-ins. Run it again to put another token in its place. Exit code 0 if there',
    'is a token that works, 2 if not.',
  ].join('\n'),
  flags: {
    check: { type: 'boolean', description: 'Only look and check; save and change nothing.' },
    keep: { type: 'boolean', description: 'Save the token that was found in .env, wherever it came from.' },
    remove: { type: 'boolean', description: 'Take the token out of the cluster, and go back to stand-ins.' },
    forget: { type: 'boolean', description: 'With --remove: take it out of .env as well.' },
    json: { type: 'boolean', description: 'Print the result as JSON, and ask nothing.' },
    ...lockFlags,
  },
  examples: ['npm run credentials', 'npm run credentials -- --check', 'npm run credentials -- --remove --forget'],
  run: async (invocation) => (await import('../credentials.ts')).runCredentials(invocation),
};
