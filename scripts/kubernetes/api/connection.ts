import { readFileSync } from 'node:fs';
import { messageOf, UserError } from '../../lib/errors.ts';
import type { Exec } from '../../lib/exec.ts';
import { createAgent } from '../../lib/http/agent.ts';
import { jsonIn } from '../../lib/text.ts';

/** A cluster of a kubeconfig that needs no file beside it. */
export interface KubeconfigCluster {
  server: string;
  'certificate-authority-data'?: string;
  'tls-server-name'?: string;
  'insecure-skip-tls-verify'?: boolean;
  'proxy-url'?: string;
  'disable-compression'?: boolean;
  extensions?: { name: string; extension: unknown }[];
}

/** Makes the way to an API server, as somebody. Throws a `UserError` for one that can't be reached as its kubeconfig says. */
export function createConnection(cluster: KubeconfigCluster, login: Login) {
  assertSupported(cluster);
  let opened: (ReturnType<typeof agentsFor> & { identity: Identity }) | undefined;
  const close = () => {
    opened?.agent.destroy();
    opened?.streams.destroy();
  };
  return {
    /** What a request goes by: who asks, and the connections. Throws a `UserError` where there is no login. */
    async open() {
      const identity = await login.identity();
      // A certificate belongs to the connection, a token to the request.
      if (opened && opened.identity.cert === identity.cert) return { ...opened, identity };
      close();
      opened = { identity, ...agentsFor(cluster, identity) };
      return opened;
    },
    renew: () => login.renew(),
    close,
  };
}

function agentsFor(cluster: KubeconfigCluster, { cert, key }: Identity) {
  const { 'certificate-authority-data': ca, 'tls-server-name': servername } = cluster;
  const options = {
    ...(ca !== undefined && { ca: decode(ca) }),
    ...(servername !== undefined && { servername }),
    ...(cert && { cert, key }),
  };
  return {
    agent: createAgent(cluster.server, { keepAlive: true, maxSockets: 8, ...options }),
    // Answers that go on for long would hold the few connections that all else shares.
    streams: createAgent(cluster.server, options),
  };
}

function assertSupported(cluster: KubeconfigCluster): void {
  const { server, 'insecure-skip-tls-verify': unchecked, 'proxy-url': proxy } = cluster;
  if (unchecked)
    throw loginError(
      `The kubeconfig says not to check the certificate of the API server at ${server}.`,
      'Give the cluster its certificate-authority-data in place of insecure-skip-tls-verify.',
    );
  if (proxy !== undefined)
    throw loginError(
      `The kubeconfig reaches the API server at ${server} through a proxy, which is not supported here.`,
      'Run this where the API server is reached without the proxy-url of its kubeconfig.',
    );
}

/** What an API server knows somebody by: a certificate, or the headers of each request. */
interface Identity {
  cert?: Buffer;
  key?: Buffer;
  headers: Record<string, string>;
}

/** A user of a kubeconfig, as far as it says how to log in (https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/). */
export interface KubeconfigUser {
  'client-certificate-data'?: string;
  'client-key-data'?: string;
  token?: string;
  tokenFile?: string;
  as?: string;
  exec?: CredentialPlugin;
}

interface CredentialPlugin {
  apiVersion: string;
  command: string;
  args?: string[] | null;
  env?: { name: string; value: string }[] | null;
  installHint?: string;
  provideClusterInfo?: boolean;
}

/** What such a program prints (https://kubernetes.io/docs/reference/config-api/client-authentication.v1/). */
interface ExecCredential {
  status?: { token?: string; clientCertificateData?: string; clientKeyData?: string; expirationTimestamp?: string };
}

/** How one logs in, as kubectl does with the same user. */
interface Login {
  /** Asked before each request, and answered from memory for as long as that holds. Throws a `UserError`. */
  identity(): Promise<Identity>;
  /** To be called when the server refused it; whether another one may be had. */
  renew(): boolean;
}

interface LoginOptions {
  exec?: Exec | undefined;
  cluster?: KubeconfigCluster;
}

/** Milliseconds before the end of a login at which the next one is asked for. */
const renewBeforeMs = 60_000;
/** Those are told apart by one of these; anything else would be refused by the server, in words that help nobody. */
const supportedLogins = ['client-certificate-data', 'token', 'tokenFile', 'exec'] as const;

/**
 * Makes the login of a user.
 * @param options `exec` runs the program that some have to be asked, which may want to know of the `cluster`.
 * @throws UserError for one of an unknown kind.
 */
export function loginOf(user: KubeconfigUser, { exec, cluster }: LoginOptions = {}): Login {
  if (user.as !== undefined || !supportedLogins.some((one) => user[one] !== undefined))
    throw loginError(
      'The user of this context logs in by a way that is not known here.',
      'Give the context a user with a client certificate, a token or a credential plugin (exec), and impersonate nobody.',
    );
  if (user.exec && exec) return loginByPlugin(() => runPlugin(user.exec as CredentialPlugin, exec, cluster));
  const { 'client-certificate-data': cert, 'client-key-data': key, token, tokenFile } = user;
  const fixed = identityWith(cert && decode(cert), key && decode(key), token);
  // A file is written again by whoever rotates the token.
  const identity = async () => (tokenFile ? { ...fixed, headers: bearer(readToken(tokenFile)) } : fixed);
  return { identity, renew: () => false };
}

function loginByPlugin(run: () => ReturnType<typeof runPlugin>): Login {
  let known: { asked: ReturnType<typeof runPlugin>; until: number } | undefined;
  return {
    async identity() {
      if (known === undefined || Date.now() >= known.until) {
        const begun = { asked: run(), until: Number.POSITIVE_INFINITY };
        known = begun;
        // Who asks until then shares the answer; after a failure, the next one asks again.
        begun.asked.then(
          ({ until }) => Object.assign(begun, { until }),
          () => Object.assign(begun, { until: 0 }),
        );
      }
      return (await known.asked).identity;
    },
    renew() {
      known = undefined;
      return true;
    },
  };
}

async function runPlugin(
  plugin: CredentialPlugin,
  exec: Exec,
  cluster: KubeconfigCluster | undefined,
): Promise<{ identity: Identity; until: number }> {
  const { apiVersion, command, args, env, installHint, provideClusterInfo } = plugin;
  const spec = { interactive: false, ...(provideClusterInfo && cluster && { cluster: clusterInfo(cluster) }) };
  const info = JSON.stringify({ apiVersion, kind: 'ExecCredential', spec });
  const variables = Object.fromEntries((env ?? []).map(({ name, value }) => [name, value]));
  const output = await exec([command, ...(args ?? [])], {
    nothrow: true,
    timeout: 60_000,
    env: { ...variables, KUBERNETES_EXEC_INFO: info },
  });
  const status = output.exitCode === 0 ? jsonIn<ExecCredential>(output.stdout).status : undefined;
  const { token, clientCertificateData: cert, clientKeyData: key, expirationTimestamp } = status ?? {};
  if (!token && !(cert && key)) {
    // As a shell ends for a program that it can't find or run.
    const isMissing = output.exitCode === 127 || output.exitCode === 126;
    const why = output.stderr.trim().split('\n').at(-1) || `exit code ${output.exitCode}, and no login`;
    throw loginError(
      `${command}, by which this context logs in, gave no login: ${why}`,
      (isMissing && installHint?.trim()) ||
        `Log in again as ${command} demands, at a terminal if it asks there: kubectl get nodes with that context.`,
    );
  }
  const ends = Date.parse(expirationTimestamp ?? '');
  return {
    identity: identityWith(cert && Buffer.from(cert), key && Buffer.from(key), token),
    until: Number.isNaN(ends) ? Number.POSITIVE_INFINITY : ends - renewBeforeMs,
  };
}

/** Under this name of an extension a cluster has what its plugin is to know besides. */
const pluginExtension = 'client.authentication.k8s.io/exec';

/** What a plugin is told of the cluster; the kubeconfig names the fields as `ExecCredential` does. */
function clusterInfo({ extensions, ...cluster }: KubeconfigCluster): object {
  const config = extensions?.find(({ name }) => name === pluginExtension)?.extension;
  return { ...cluster, ...(config !== undefined && { config }) };
}

function readToken(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    const why = `The token of this context could not be read: ${messageOf(cause)}`;
    throw loginError(why, 'Correct tokenFile of the user in your kubeconfig.', cause);
  }
}

function identityWith(
  cert: Buffer | '' | undefined,
  key: Buffer | '' | undefined,
  token: string | undefined,
): Identity {
  return { ...(cert && key && { cert, key }), headers: bearer(token) };
}

function bearer(token: string | undefined): Record<string, string> {
  return token ? { authorization: `Bearer ${token}` } : {};
}

function decode(text: string): Buffer {
  return Buffer.from(text, 'base64');
}

function loginError(message: string, hint: string, cause?: unknown): UserError {
  return new UserError(message, { id: 'target-login', hint, cause });
}
