import type { Command } from '../command.ts';

export const completionCommand: Command = {
  name: 'completion',
  summary: 'Print a completion of these commands and their flags for bash.',
  description: [
    'Prints a text for bash to source, which completes npm run with the commands of this checkout, their flags, their words',
    'and the names of the services. In other folders the completion of npm goes on as before. The text holds what the',
    'commands are today: source it anew after an update.',
  ].join('\n'),
  flags: {},
  examples: ['npm run --silent completion'],
  run: async (invocation) => (await import('../completion.ts')).runCompletion(invocation),
};
