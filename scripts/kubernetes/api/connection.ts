import { Agent } from 'node:https';
import { UserError } from '../../lib/errors.ts';
import type { Identity, Login } from './login.ts';

/** A cluster of a kubeconfig that needs no file beside it. */
export interface Cluster {
  server: string;
  'certificate-authority-data'?: string;
  'tls-server-name'?: string;
  'insecure-skip-tls-verify'?: boolean;
  'proxy-url'?: string;
}

/** The way to an API server, as somebody. */
export interface Line {
  /** What a request goes by: who asks, and the connections. Throws a `UserError` where there is no login. */
  open(): Promise<Open>;
  /** To be called when the server refused the login; whether another one may be had. */
  renew(): boolean;
  close(): void;
}

interface Open {
  identity: Identity;
  agent: Agent;
  /** Answers that go on for long would hold the few connections that all else shares. */
  streams: Agent;
}

/** Makes the way to a server. Throws a `UserError` for one that can't be reached as its kubeconfig says. */
export function createLine(cluster: Cluster, login: Login): Line {
  refuseUnfit(cluster);
  let opened: Open | undefined;
  const close = () => {
    opened?.agent.destroy();
    opened?.streams.destroy();
  };
  return {
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

function agentsFor(cluster: Cluster, { cert, key }: Identity): Omit<Open, 'identity'> {
  const { 'certificate-authority-data': ca, 'tls-server-name': servername } = cluster;
  const options = {
    ...(ca !== undefined && { ca: Buffer.from(ca, 'base64') }),
    ...(servername !== undefined && { servername }),
    ...(cert && { cert }),
    ...(key && { key }),
  };
  return { agent: new Agent({ keepAlive: true, maxSockets: 8, ...options }), streams: new Agent(options) };
}

function refuseUnfit({ server, 'insecure-skip-tls-verify': unchecked, 'proxy-url': proxy }: Cluster): void {
  if (unchecked)
    throw new UserError(`The certificate of the API server at ${server} is not to be checked, says its kubeconfig.`, {
      hint: 'Give the cluster its certificate-authority-data in place of insecure-skip-tls-verify.',
    });
  if (proxy !== undefined)
    throw new UserError(`The API server at ${server} is to be reached through a proxy, which is not done here.`, {
      hint: 'Run this where the API server is reached without the proxy-url of its kubeconfig.',
    });
}
