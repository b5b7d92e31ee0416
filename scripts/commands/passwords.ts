import { assertCluster } from '../cluster/cluster.ts';
import { readPassword } from '../components/passwords.ts';
import { type PasswordSite, passwordSites } from '../components/site-names.ts';
import { createContext } from '../context.ts';
import { ExitCode } from '../lib/errors.ts';
import { columns } from '../lib/text.ts';
import type { Command, Invocation } from './command.ts';

export const passwordsCommand: Command = {
  description: 'Reads the passwords of the user admin from the cluster. With a name, prints that password alone.',
  flags: { json: { type: 'boolean', description: 'Print as JSON.' } },
  words: passwordSites,
  examples: ['npm run passwords', 'npm run --silent passwords -- argocd'],
  run: runPasswords,
};

async function runPasswords({ config, flags, word, signal, print }: Invocation): Promise<ExitCode> {
  const context = createContext(config, { signal });
  await assertCluster(context);
  const read = async (place: PasswordSite) => (await readPassword(context, place)).reveal();
  if (word !== undefined) {
    const password = await read(word as PasswordSite);
    print(flags.json ? JSON.stringify({ user: 'admin', password }) : password);
    return ExitCode.done;
  }
  const found = await Promise.all(passwordSites.map(async (place) => [place, await read(place)] as const));
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
