import { ExitCode } from '../lib/errors.ts';
import { readRegistrations } from '../repository/applications.ts';
import { bashCompletion } from './bash-completion.ts';
import type { Invocation } from './command.ts';

/** Carries out `npm run completion`. */
export async function runCompletion({ config, print }: Invocation): Promise<ExitCode> {
  // Not above: the list of commands holds this one.
  const { allCommands } = await import('./index.ts');
  const [usages, { applications }] = await Promise.all([allCommands(), readRegistrations(config.root)]);
  const services = applications.map(({ metadata }) => metadata.name);
  print(bashCompletion({ usages, services, root: config.root }));
  return ExitCode.done;
}
