import { assertCluster } from '../cluster/cluster.ts';
import { type PasswordSite, passwordSites, readPassword } from '../components/passwords.ts';
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
  const found = await Promise.all(
    passwordSites.map(async (place) => [place, { user: 'admin', password: await read(place) }] as const),
  );
  const rows = found.map(([place, { user, password }]) => [place, `${user}  ${password}`] as const);
  print(flags.json ? JSON.stringify(Object.fromEntries(found), undefined, 2) : columns(rows, '').join('\n'));
  return ExitCode.done;
}
