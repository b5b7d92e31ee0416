import { base64 } from '../lib/base64.ts';
import type { KubeObject } from '../lib/objects.ts';
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
