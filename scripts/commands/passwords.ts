import { ownContainer } from '../components/cluster-ownership.ts';
import { createContext } from '../context.ts';
import { ExitCode, UserError } from '../lib/errors.ts';
import { columns } from '../lib/help.ts';
import { type Place, passwordPlaces, readPassword } from '../passwords.ts';
import type { Command, Invocation } from './command.ts';

export const passwords: Command = {
  name: 'passwords',
  summary: 'Show the passwords of Argo CD and Grafana.',
  description: 'Reads the passwords of the user admin from the cluster. With a name, prints that password alone.',
  flags: { json: { type: 'boolean', description: 'Print as JSON.' } },
  words: passwordPlaces,
  examples: ['npm run passwords', 'npm run --silent passwords -- argocd'],
  run: runPasswords,
};

async function runPasswords({ config, flags, word, signal, print }: Invocation): Promise<ExitCode> {
  const context = createContext(config, { signal });
  if (!(await ownContainer(context)))
    throw new UserError(`There is no cluster ${config.clusterName}.`, { hint: 'npm run up' });
  const read = async (place: Place) => (await readPassword(context, place)).reveal();
  if (word !== undefined) {
    const password = await read(word as Place);
    print(flags.json ? JSON.stringify({ user: 'admin', password }) : password);
    return ExitCode.done;
  }
  const found = await Promise.all(passwordPlaces.map(async (place) => [place, await read(place)] as const));
  if (flags.json)
    print(
      JSON.stringify(
        Object.fromEntries(found.map(([place, password]) => [place, { user: 'admin', password }])),
        undefined,
        2,
      ),
    );
  else
    print(
      columns(
        found.map(([place, password]) => [place, `admin  ${password}`] as const),
        '',
      ).join('\n'),
    );
  return ExitCode.done;
}
