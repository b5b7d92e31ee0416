import type { Command } from '../command.ts';
import { checkFlags } from './flags.ts';

export const supportCommand: Command = {
  name: 'support',
  summary: 'Write what others need to help you into one file, without secrets.',
  description: [
    'Writes versions, settings, the findings of doctor and status, warnings, and the logs of pods that are not well into one',
    'file that only you can read, and prints its path. Tokens, passwords and every value of the Secrets in the cluster are',
    'taken out, in whatever form they stand there, and the file is looked through for them before it is written. Look it',
    'through yourself before you attach it to an issue: a log may say what only you know to be secret.',
  ].join('\n'),
  flags: {
    output: { type: 'text', value: 'file', description: 'Write it there, to a file that does not exist yet.' },
    'without-cluster': { type: 'boolean', description: 'Leave out what comes from inside the cluster.' },
    json: { type: 'boolean', description: 'Print the path as JSON.' },
    ...checkFlags,
  },
  examples: ['npm run support', 'npm run support -- --output /tmp/support.log', 'npm run support -- --without-cluster'],
  run: async (invocation) => (await import('../support.ts')).runSupport(invocation),
};
