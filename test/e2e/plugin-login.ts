import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

/** What a plugin prints is written beside it; it wants to be told of the cluster and to have its variable, as some do. */
const plugin = `#!/bin/sh
case "$KUBERNETES_EXEC_INFO" in
*'"server":"https://'*) ;;
*) echo 'no cluster was told' >&2; exit 1 ;;
esac
[ "$LOGIN" = plugin ] || { echo 'LOGIN is not set' >&2; exit 1; }
echo "$KUBERNETES_EXEC_INFO" >> "\${0%/*}/asked"
cat "\${0%/*}/credential.json"
`;

interface Kubeconfig {
  'current-context': string;
  clusters: { name: string; cluster: { server: string; 'certificate-authority-data': string } }[];
  contexts: { name: string; context: object }[];
  users: { name: string; user: Record<'client-certificate-data' | 'client-key-data', string> }[];
}

/**
 * Spreads the login of a kubeconfig over a folder as people have it: the cluster in one file, with its certificate beside it, and
 * the user in another one, who logs in by a program beside that. All paths are relative.
 * @returns the two files.
 */
export function spreadLogin(kubeconfig: string, folder: string): [cluster: string, user: string] {
  const { clusters, contexts, users } = parse(readFileSync(kubeconfig, 'utf8')) as Kubeconfig;
  const [cluster, user] = ['config', 'login/config'].map((name) => join(folder, name)) as [string, string];
  const bin = join(folder, 'login', 'bin');
  mkdirSync(bin, { recursive: true });
  const write = (file: string, content: object | string) =>
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content, undefined, 2), { mode: 0o600 });
  const text = (data = '') => Buffer.from(data, 'base64').toString();

  const [{ name, cluster: reached } = assertOne()] = clusters;
  write(join(folder, 'ca.crt'), text(reached['certificate-authority-data']));
  const found = { server: reached.server, 'certificate-authority': 'ca.crt' };
  write(cluster, { apiVersion: 'v1', kind: 'Config', clusters: [{ name, cluster: found }], contexts });

  const [{ name: who, user: login } = assertOne()] = users;
  const apiVersion = 'client.authentication.k8s.io/v1';
  const status = {
    clientCertificateData: text(login['client-certificate-data']),
    clientKeyData: text(login['client-key-data']),
  };
  write(join(bin, 'credential.json'), { apiVersion, kind: 'ExecCredential', status });
  write(join(bin, 'log-in'), plugin);
  chmodSync(join(bin, 'log-in'), 0o700);
  const exec = {
    ...{ apiVersion, command: './bin/log-in', args: ['now'], env: [{ name: 'LOGIN', value: 'plugin' }] },
    ...{ provideClusterInfo: true, interactiveMode: 'Always', installHint: 'Install log-in.' },
  };
  write(user, { apiVersion: 'v1', kind: 'Config', users: [{ name: who, user: { exec } }] });
  return [cluster, user];
}

function assertOne(): never {
  throw new Error('the kubeconfig has no cluster or no user');
}
