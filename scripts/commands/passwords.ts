import { argocdPassword } from '../components/argo-cd.ts';
import { ownContainer } from '../components/cluster-ownership.ts';
import { grafanaPassword } from '../components/grafana.ts';
import { createContext } from '../context.ts';
import { ApiError, Unreachable } from '../lib/api.ts';
import { ExitCode, UserError } from '../lib/errors.ts';
import { columns } from '../lib/help.ts';
import type { Command, Invocation } from './command.ts';

const places = { argocd: argocdPassword, grafana: grafanaPassword } as const;
type Place = keyof typeof places;

export const passwords: Command = {
  name: 'passwords',
  summary: 'Show the passwords of Argo CD and Grafana.',
  description: 'Reads the passwords of the user admin from the cluster. With a name, prints that password alone.',
  flags: { json: { type: 'boolean', description: 'Print as JSON.' } },
  words: Object.keys(places),
  examples: ['npm run passwords', 'npm run --silent passwords -- argocd'],
  run: runPasswords,
};

async function runPasswords({ config, flags, word, signal, print }: Invocation): Promise<ExitCode> {
  const context = createContext(config, { signal });
  if (!(await ownContainer(context)))
    throw new UserError(`There is no cluster ${config.clusterName}.`, { hint: 'npm run up' });
  const read = async (place: Place): Promise<string> => {
    const { namespace, secret, key } = places[place];
    try {
      const { data } = await context
        .api()
        .json<{ data?: Record<string, string> }>(`/api/v1/namespaces/${namespace}/secrets/${secret}`);
      return Buffer.from(data?.[key] ?? '', 'base64').toString('utf8');
    } catch (error) {
      if (error instanceof Unreachable)
        throw new UserError(`The cluster ${config.clusterName} does not answer.`, { hint: 'npm run up', cause: error });
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
      throw new UserError(
        `The secret ${namespace}/${secret} is not there: the password was changed, or ${place} is not up yet.`,
        { hint: 'npm run status', cause: error },
      );
    }
  };
  if (word !== undefined) {
    const password = await read(word as Place);
    print(flags.json ? JSON.stringify({ user: 'admin', password }) : password);
    return ExitCode.done;
  }
  const found = await Promise.all(
    (Object.keys(places) as Place[]).map(async (place) => [place, await read(place)] as const),
  );
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
