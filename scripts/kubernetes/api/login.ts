import { readFileSync } from 'node:fs';
import { messageOf, UserError } from '../../lib/errors.ts';
import type { Exec } from '../../lib/processes/exec.ts';

/** What an API server knows somebody by: a certificate, or the headers of each request. */
export interface Identity {
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
  exec?: Plugin;
}

interface Plugin {
  apiVersion: string;
  command: string;
  args?: string[] | null;
  env?: { name: string; value: string }[] | null;
  installHint?: string;
}

/** What such a program prints (https://kubernetes.io/docs/reference/config-api/client-authentication.v1/). */
interface ExecCredential {
  status?: { token?: string; clientCertificateData?: string; clientKeyData?: string; expirationTimestamp?: string };
}

/** How one logs in, as kubectl does with the same user. */
export interface Login {
  /** Asked before each request, and answered from memory for as long as that holds. Throws a `UserError`. */
  identity(): Promise<Identity>;
  /** To be called when the server refused it; whether another one may be had. */
  renew(): boolean;
}

/** Milliseconds before the end of a login at which the next one is asked for. */
const early = 60_000;
/** Those are told apart by one of these; anything else would be refused by the server, in words that help nobody. */
const known = ['client-certificate-data', 'token', 'tokenFile', 'exec'] as const;

/** Makes the login of a user; `exec` runs the program that some have to be asked. Throws a `UserError` for one of an unknown kind. */
export function loginOf(user: KubeconfigUser, exec?: Exec): Login {
  if (user.as !== undefined || !known.some((one) => user[one] !== undefined))
    throw new UserError('The user of this context logs in by a way that is not known here.', {
      hint: 'Give the context a user with a client certificate, a token or a credential plugin (exec), and impersonate nobody.',
    });
  if (user.exec && exec) return loginByPlugin(user.exec, exec);
  const { 'client-certificate-data': cert, 'client-key-data': key, token, tokenFile } = user;
  const certificate = cert && key ? { cert: decode(cert), key: decode(key) } : {};
  const fixed = { ...certificate, headers: bearer(token) };
  // A file is written anew by whoever rotates the token.
  const identity = async () => (tokenFile ? { ...fixed, headers: bearer(read(tokenFile)) } : fixed);
  return { identity, renew: () => false };
}

function loginByPlugin(plugin: Plugin, exec: Exec): Login {
  let known: { asked: ReturnType<typeof ask>; until: number } | undefined;
  return {
    async identity() {
      if (known === undefined || Date.now() >= known.until) {
        const begun = { asked: ask(plugin, exec), until: Number.POSITIVE_INFINITY };
        const forget = () => {
          if (known === begun) known = undefined;
        };
        begun.asked.then(({ until }) => {
          begun.until = until;
        }, forget);
        known = begun;
      }
      return (await known.asked).identity;
    },
    renew() {
      known = undefined;
      return true;
    },
  };
}

async function ask(plugin: Plugin, exec: Exec): Promise<{ identity: Identity; until: number }> {
  const { apiVersion, command, args, env, installHint } = plugin;
  const info = JSON.stringify({ apiVersion, kind: 'ExecCredential', spec: { interactive: false } });
  const variables = Object.fromEntries((env ?? []).map(({ name, value }) => [name, value]));
  const output = await exec([command, ...(args ?? [])], {
    nothrow: true,
    timeout: 60_000,
    env: { ...variables, KUBERNETES_EXEC_INFO: info },
  });
  const status = output.exitCode === 0 ? statusIn(output.stdout) : undefined;
  const { token, clientCertificateData: cert, clientKeyData: key, expirationTimestamp } = status ?? {};
  if (!token && !(cert && key)) {
    const why = output.stderr.trim().split('\n').at(-1) || `exit code ${output.exitCode}, and no login`;
    throw new UserError(`${command}, by which this context logs in, gave no login: ${why}`, {
      hint: installHint?.trim() || `Log in again as ${command} demands, and try kubectl get nodes with that context.`,
    });
  }
  const certificate = cert && key ? { cert: Buffer.from(cert), key: Buffer.from(key) } : {};
  const ends = Date.parse(expirationTimestamp ?? '');
  return {
    identity: { ...certificate, headers: bearer(token) },
    until: Number.isNaN(ends) ? Number.POSITIVE_INFINITY : ends - early,
  };
}

function statusIn(text: string): ExecCredential['status'] {
  try {
    return (JSON.parse(text) as ExecCredential).status;
  } catch {
    return undefined;
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new UserError(`The token of this context could not be read: ${messageOf(cause)}`, {
      hint: 'Correct tokenFile of the user in your kubeconfig.',
      cause,
    });
  }
}

function bearer(token: string | undefined): Record<string, string> {
  return token ? { authorization: `Bearer ${token}` } : {};
}

function decode(text: string): Buffer {
  return Buffer.from(text, 'base64');
}
