import type { Context } from '../context.ts';
import { tokenSources } from '../credentials/token-sources.ts';
import { ApiError, Unreachable } from '../lib/api.ts';
import { UserError } from '../lib/errors.ts';
import type { KubeObject } from '../lib/objects.ts';
import { scopeOf } from './scope.ts';

interface SecretObject extends KubeObject {
  data?: Record<string, string>;
}

/** Every secret that could have found its way into a text: the tokens of this machine, and all that the cluster keeps as one. */
export async function secretsOf(context: Context, reachable: boolean): Promise<string[]> {
  const { tokens } = context.config;
  const { exec } = context;
  const sources = tokenSources({ ...tokens, exec });
  const found = await Promise.all(sources.map(async (source) => (await source.find())?.trim()));
  return [...found.filter((token) => token !== undefined), ...(reachable ? await inCluster(context) : [])];
}

/** What Secrets hold that is none. */
const open = new Set(['namespace', 'ca.crt', 'tls.crt', 'url', 'type']);

async function inCluster(context: Context): Promise<string[]> {
  try {
    const { namespaces } = await scopeOf(context);
    const list = (namespace?: string) => context.api().list<SecretObject>('v1', 'Secret', namespace);
    // What others keep secret elsewhere is not told, and not even read.
    const secrets = namespaces ? (await Promise.all(namespaces.map(list))).flat() : await list();
    return secrets.flatMap(({ data = {} }) =>
      Object.entries(data)
        .filter(([key]) => !open.has(key))
        .flatMap(([, value]) => withParts(Buffer.from(value, 'base64').toString('utf8'))),
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

/** A value, and the texts in it where it is JSON: of Docker's logins, the passwords. */
function withParts(value: string): string[] {
  try {
    const parts: string[] = [];
    JSON.parse(value, (key, part: unknown) => {
      if (typeof part !== 'string') return part;
      parts.push(part);
      if (key === 'auth')
        parts.push(
          Buffer.from(part, 'base64')
            .toString('utf8')
            .replace(/^[^:]*:/, ''),
        );
      return part;
    });
    return [value, ...parts];
  } catch {
    return [value];
  }
}
