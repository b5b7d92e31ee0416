import type { KubeObject } from '../../kubernetes/objects.ts';
import { base64 } from '../../lib/certificates/base64.ts';
import { Secret } from '../../lib/secret.ts';
import type { Account } from './account.ts';
import { registry } from './check.ts';

/** The charts' pods name this pull secret. */
export const pullSecretName = 'ghcr-cred';

/** The pull secret without its content, to look for it, or with what lets its holder pull. Made in memory alone. */
export function pullSecret(namespace: string, account?: Pick<Account, 'username' | 'token'>): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: pullSecretName, namespace },
    type: 'kubernetes.io/dockerconfigjson',
    ...(account && { data: { '.dockerconfigjson': dockerConfig(account) } }),
  };
}

/** Kubernetes' "Pull an Image from a Private Registry": Docker's config.json, as base64. */
export function dockerConfig({ username, token }: Pick<Account, 'username' | 'token'>): string {
  const auth = base64(`${username}:${token.reveal()}`);
  return base64(JSON.stringify({ auths: { [registry]: { auth } } }));
}

/** Gives a namespace's default ServiceAccount the pull secret, for pods that don't name it themselves, or takes it away. */
export function defaultAccount(namespace: string, secrets: readonly string[]): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'default', namespace },
    imagePullSecrets: secrets.map((name) => ({ name })),
  };
}

/**
 * The password for GHCR in a pull secret, as `kubectl create secret docker-registry` or `docker login` writes it.
 * @param content Docker's config.json as base64, as the API server hands it back.
 * @returns undefined where it has none for GHCR.
 */
export function passwordIn(content: string): Secret | undefined {
  const { auths = {} } = parsed(content);
  const entry = Object.entries(auths).find(
    ([address]) => address.replace(/^https?:\/\//, '').split('/')[0] === registry,
  );
  const { password, auth = '' } = entry?.[1] ?? {};
  const found =
    password ??
    Buffer.from(auth, 'base64')
      .toString('utf8')
      .replace(/^[^:]*:?/, '');
  return found === '' ? undefined : new Secret(found);
}

function parsed(content: string): { auths?: Record<string, { auth?: string; password?: string }> } {
  try {
    return JSON.parse(Buffer.from(content, 'base64').toString('utf8'));
  } catch {
    // Its content goes into no message.
    return {};
  }
}
