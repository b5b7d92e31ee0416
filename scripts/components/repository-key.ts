import { githubUrl } from '../config/settings.ts';
import type { Context } from '../images/context.ts';
import { jsonIfThere } from '../kubernetes/api/api.ts';
import { type KubeObject, nameOf } from '../kubernetes/objects.ts';
import { UserError } from '../lib/errors.ts';
import { canRead, isSameRepository } from '../lib/git/remote.ts';
import { argocdNamespace } from '../repository/applications.ts';

/** The file with the keys of SSH servers that Argo CD is to know besides those of its release, as ~/.ssh/known_hosts has them. */
export const knownHostsFile = 'cluster/argocd/ssh_known_hosts';
/** Where Argo CD has them. */
export const knownHostsMap = 'argocd-ssh-known-hosts-cm';

/** @returns what that ConfigMap holds, with more servers; the same where there are none. */
export function addServers(data: Record<string, string>, lines: string): Record<string, string> {
  const servers = lines.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
  if (servers.length === 0) return data;
  return { ...data, ssh_known_hosts: [data.ssh_known_hosts?.trimEnd(), ...servers, ''].join('\n') };
}

interface Key {
  /** What Argo CD lacks, with what to do about it. */
  fault?: UserError;
  /** By what it reads the repository, where that is known. */
  detail?: string;
}

/**
 * Looks whether Argo CD can read a repository for which the platform has no login: one over ssh, or on another host than
 * github.com. Anybody may read a public one over https; for all else you make a Secret, with a key or password.
 * @param options `inCluster` is false while there is no cluster that could have one.
 * @throws ApiError
 */
export async function lookForKey(context: Context, url: string, { inCluster = true } = {}): Promise<Key> {
  if (githubUrl.test(url)) return {};
  const host = sshHost(url);
  if (host === undefined) {
    const { state } = await canRead(context.exec, url);
    if (state !== 'refused') return state === 'readable' ? {} : { detail: 'the repository does not answer here' };
  }
  const secret = inCluster ? (await repositorySecrets(context)).find((one) => opens(one, url)) : undefined;
  if (!secret) return { fault: noKey(url, host !== undefined) };
  if (host !== undefined && valueIn(secret, 'insecure') !== 'true' && !(await knowsHost(context, host)))
    return { fault: unknownHost(url, host) };
  return { detail: `with ${nameOf(secret)}` };
}

function noKey(url: string, isSsh: boolean): UserError {
  const content = isSsh ? '--from-file=sshPrivateKey=FILE' : '--from-literal=username=NAME --from-file=password=FILE';
  return new UserError(
    isSsh
      ? `Argo CD needs a key for ${url}: a Secret in the namespace ${argocdNamespace}.`
      : `Argo CD needs a password for ${url}, which is private or does not exist: a Secret in the namespace ${argocdNamespace}.`,
    {
      id: 'repository-key',
      hint: [
        `Once Argo CD is installed: kubectl -n ${argocdNamespace} create secret generic gitops-key --from-literal=type=git --from-literal=url=${url} ${content}`,
        `kubectl -n ${argocdNamespace} label secret gitops-key argocd.argoproj.io/secret-type=repository && npm run up`,
      ].join(' && '),
    },
  );
}

function unknownHost(url: string, host: string): UserError {
  const [, name = host, port] = /^\[(.+)\]:(\d+)$/.exec(host) ?? [];
  const scan = ['ssh-keyscan', ...(port === undefined ? [] : ['-p', port]), name].join(' ');
  return new UserError(`Argo CD does not know the SSH server of ${url}: ${host} is not in ${knownHostsMap}.`, {
    id: 'repository-host-key',
    hint: `${scan} >> ${knownHostsFile}, compare the keys with those that the server's owner publishes, and npm run up.`,
  });
}

/** The server of an address over ssh, as known_hosts names it; undefined for another address. */
function sshHost(url: string): string | undefined {
  const short = /^git@([^:/]+):/.exec(url)?.[1];
  if (short !== undefined) return short.toLowerCase();
  if (!/^ssh:\/\//.test(url)) return undefined;
  const { hostname, port } = new URL(url);
  return port === '' || port === '22' ? hostname : `[${hostname}]:${port}`;
}

async function knowsHost(context: Context, host: string): Promise<boolean> {
  const path = `/api/v1/namespaces/${argocdNamespace}/configmaps/${knownHostsMap}`;
  const map = await jsonIfThere<{ data?: Record<string, string> }>(context.api(), path);
  const lines = (map?.data?.ssh_known_hosts ?? '').split('\n');
  // Which server a line is for that ssh has hashed, can't be told.
  return lines.some((line) => line.startsWith('|1|') || line.split(' ')[0]?.toLowerCase().split(',').includes(host));
}

/** A Secret of Argo CD's for one repository, or for all whose addresses begin alike ("Declarative Setup"). */
interface RepositorySecret extends KubeObject {
  data?: Record<string, string>;
}

const typeLabel = 'argocd.argoproj.io/secret-type';
const logins = ['password', 'bearerToken', 'githubAppPrivateKey', 'tlsClientCertKey'] as const;

async function repositorySecrets(context: Context): Promise<RepositorySecret[]> {
  const all = await context.api().list<RepositorySecret>('v1', 'Secret', argocdNamespace);
  return all.filter(({ metadata }) => /^(repository|repo-creds)$/.test(metadata.labels?.[typeLabel] ?? ''));
}

function opens(secret: RepositorySecret, url: string): boolean {
  const other = valueIn(secret, 'url');
  const isSsh = sshHost(url) !== undefined;
  const names = isSsh ? ['sshPrivateKey'] : logins;
  if (other === '' || !names.some((name) => valueIn(secret, name) !== '')) return false;
  if (secret.metadata.labels?.[typeLabel] === 'repo-creds') return url.startsWith(other);
  // To Argo CD, the same repository over https is another one.
  return isSameRepository(other, url) && (sshHost(other) !== undefined) === isSsh;
}

function valueIn({ data }: RepositorySecret, name: string): string {
  return Buffer.from(data?.[name] ?? '', 'base64').toString('utf8');
}
