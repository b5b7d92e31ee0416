import { bashCompletion } from '../completion/bash.ts';
import { ExitCode } from '../lib/errors.ts';
import { readRegistrations } from '../services.ts';
import type { Command, Invocation } from './command.ts';

export const completion: Command = {
  name: 'completion',
  summary: 'Print a completion of these commands and their flags for bash.',
  description: [
    'Prints a text for bash to source, which completes npm run with the commands of this checkout, their flags, their words',
    'and the names of the services. In other folders the completion of npm goes on as before. The text holds what the',
    'commands are today: source it anew after an update.',
  ].join('\n'),
  flags: {},
  examples: ['npm run --silent completion'],
  run: runCompletion,
};

async function runCompletion({ config, print }: Invocation): Promise<ExitCode> {
  // Not above: the list of commands holds this one.
  const { allCommands } = await import('./index.ts');
  const [usages, { applications }] = await Promise.all([allCommands(), readRegistrations(config.root)]);
  const services = applications.map(({ metadata }) => metadata.name);
  print(bashCompletion({ usages, services, root: config.root }));
  return ExitCode.done;
}
