import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Context } from '../../images/context.ts';
import { tokenSources } from '../../images/credentials/token-sources.ts';
import { ApiError, Unreachable } from '../../kubernetes/api/api.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { UserError } from '../../lib/errors.ts';
import { scopeOf } from './scope.ts';
import { type SecretValue, secretValues } from './secret-values.ts';

interface SecretObject extends KubeObject {
  data?: Record<string, string>;
}

/** Every secret that could have found its way into a text: the tokens of this machine, and all that the cluster keeps as one. */
export async function secretsOf(context: Context, reachable: boolean): Promise<SecretValue[]> {
  const { tokens } = context.config;
  const { exec } = context;
  const sources = tokenSources({ ...tokens, exec });
  const found = await Promise.all(sources.map(async (source) => (await source.find())?.trim()));
  return [
    ...found.flatMap((token) => (token === undefined ? [] : [{ text: token }])),
    ...(await inKubeconfig(context)),
    ...(reachable ? await inCluster(context) : []),
  ];
}

/** The keys and tokens by which the cluster knows us. */
async function inKubeconfig({ kubeconfig }: Context): Promise<SecretValue[]> {
  return existsSync(kubeconfig) ? secretValues(await readFile(kubeconfig), 'kubeconfig') : [];
}

async function inCluster(context: Context): Promise<SecretValue[]> {
  try {
    const { namespaces } = await scopeOf(context);
    const list = (namespace?: string) => context.api().list<SecretObject>('v1', 'Secret', namespace);
    // What others keep secret elsewhere is not told, and not even read.
    const secrets = namespaces ? (await Promise.all(namespaces.map(list))).flat() : await list();
    return secrets.flatMap(({ data = {} }) =>
      Object.entries(data).flatMap(([key, value]) => secretValues(Buffer.from(value, 'base64'), key)),
    );
  } catch (error) {
    if (!(error instanceof ApiError) && !(error instanceof Unreachable)) throw error;
    // Without knowing what must not be shown, nothing of the cluster is.
    throw new UserError(`The cluster's Secrets can't be asked for, which have to be left out: ${error.message}`, {
      hint: 'npm run support -- --without-cluster leaves out all that comes from the cluster.',
      cause: error,
    });
  }
}
