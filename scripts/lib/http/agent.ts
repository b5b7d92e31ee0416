import { type ClientRequest, request as httpRequest, type OutgoingHttpHeaders, type RequestOptions } from 'node:http';
import { Agent, type AgentOptions, request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import * as tls from 'node:tls';
import { UserError } from '../errors.ts';
import { certificateTexts, type Network, type ProxyServer, proxyFor, proxyLogin } from './proxy.ts';

let network: Network = { direct: '' };
let agents = new Map<string, Agent>();

/** Has all requests that begin from now on reach servers elsewhere as these settings say. */
export function useNetwork(settings: Network): void {
  network = settings;
  agents = new Map();
}

/** A proxy that can't be reached, lets nobody through, or presents a certificate that nobody vouches for. */
export class ProxyError extends Error {
  override readonly name = 'ProxyError';
  readonly hint: string;
  /** Whether another attempt right away has a chance. */
  readonly passing: boolean;
  constructor({ name, variable }: ProxyServer, what: string, { hint = '', passing = false } = {}) {
    super(name === '' ? `${variable} ${what}` : `the proxy ${name} of ${variable} ${what}`);
    this.hint = hint || `Correct ${variable}, or list the host in NO_PROXY to reach it without the proxy.`;
    this.passing = passing;
  }
}

/** Milliseconds for a proxy to make a connection: less than any request has, so that the proxy is named. */
const connectMs = 7000;

/**
 * How a request gets to its server.
 * @returns the agent that knows the proxy and the certificates; for plain http, the proxy in the server's place (RFC 9112, 3.2.2).
 * @throws ProxyError for a proxy that can't be used.
 */
export function routeTo(url: string, headers: OutgoingHttpHeaders = {}): { url: string } & RequestOptions {
  const proxy = usableProxy(url);
  if (url.startsWith('https:')) {
    const key = proxy?.variable ?? '';
    const agent = agents.get(key) ?? agentBy(proxy, { keepAlive: true, timeout: 5000 });
    agents.set(key, agent);
    return { url, agent, headers };
  }
  if (proxy === undefined) return { url, headers };
  const { host } = new URL(url);
  return { url: proxy.name, path: url, headers: { host, ...headers, ...loginHeader(proxy) } };
}

/**
 * Makes an agent for an API server.
 * @param options its own certificates and a login, for example; without `ca`, what this machine is told to trust is trusted.
 * @returns one that goes through the proxy that kubectl would take: Go knows no ALL_PROXY.
 * @throws UserError for a proxy that can't be used.
 */
export function createAgent(url: string, options: AgentOptions): Agent {
  const proxy = proxyFor(network, url);
  if (proxy === undefined || /^all_proxy$/i.test(proxy.variable)) return agentBy(undefined, options);
  if (proxy.fault === undefined) return agentBy(proxy, options);
  const { message, hint } = new ProxyError(proxy, proxy.fault);
  throw new UserError(`${message}.`, { id: 'proxy', hint });
}

function agentBy(proxy: ProxyServer | undefined, options: AgentOptions): Agent {
  const ca = options.ca ?? trusted();
  const all = { ...options, ...(ca && { ca }) };
  return proxy === undefined ? new Agent(all) : new TunnelAgent(proxy, all);
}

/** What a failed request is told as: through a proxy, a certificate that nobody vouches for is usually the proxy's. */
export function explained(url: string, error: Error & { code?: string }): Error {
  const proxy = proxyFor(network, url);
  if (proxy === undefined || error instanceof ProxyError) return error;
  if (url.startsWith('http:')) return unreached(proxy, error);
  if (!/CERT|SIGN|^UNABLE_TO_/.test(error.code ?? '')) return error;
  return new ProxyError(proxy, `presents a certificate that is not trusted (${error.code})`, {
    hint: "Set NODE_EXTRA_CA_CERTS to the file with the certificate of the proxy's authority (PEM).",
  });
}

function usableProxy(url: string): ProxyServer | undefined {
  const proxy = proxyFor(network, url);
  if (proxy?.fault !== undefined) throw new ProxyError(proxy, proxy.fault);
  return proxy;
}

/**
 * The certificates to trust where SSL_CERT_FILE names further ones: Node.js reads only NODE_EXTRA_CA_CERTS by itself, and forgets
 * what it trusts where it is given a list.
 */
function trusted(): string[] | undefined {
  const [extra, own] = certificateTexts(network);
  if (own === '') return undefined;
  // From Node.js 22.15 on: also those of the system, where Node.js is told to take them.
  const { getCACertificates } = tls as { getCACertificates?: () => string[] };
  return [...(getCACertificates?.() ?? [...tls.rootCertificates, extra]), own];
}

type Callback = (error: Error | null, socket?: Duplex) => void;

/** Has the proxy connect it to the server, and speaks TLS with that through the connection (RFC 9110, 9.3.6). */
class TunnelAgent extends Agent {
  readonly #proxy: ProxyServer;
  constructor(proxy: ProxyServer, options: AgentOptions) {
    super(options);
    this.#proxy = proxy;
  }

  /** Called by Node.js for each new connection. */
  override createConnection(options: RequestOptions, done: Callback): undefined {
    const proxy = this.#proxy;
    const host = options.host ?? '';
    const authority = `${host.includes(':') ? `[${host}]` : host}:${options.port}`;
    const asked = requestOf(proxy.name, {
      method: 'CONNECT',
      path: authority,
      headers: { host: authority, ...loginHeader(proxy) },
      agent: false,
      timeout: connectMs,
      ...(options.signal && { signal: options.signal }),
    });
    asked.on('timeout', () => asked.destroy(Object.assign(new Error(), { code: 'ETIMEDOUT' })));
    asked.on('error', (error) => done(unreached(proxy, error)));
    // A proxy that does not know the method answers as a web server does.
    asked.on('response', (response) => done(refused(proxy, authority, response)) ?? response.destroy());
    asked.on('connect', (response, socket) => {
      if (response.statusCode === 200) {
        socket.setTimeout(0);
        const overTls = super.createConnection as (options: RequestOptions & { socket: Duplex }) => Duplex;
        done(null, overTls.call(this, { ...options, socket }));
        return;
      }
      socket.destroy();
      done(refused(proxy, authority, response));
    });
    asked.end();
  }
}

/** Begins a request, by the scheme of its address. */
export function requestOf(url: string, options: RequestOptions): ClientRequest {
  return url.startsWith('https:') ? httpsRequest(url, options) : httpRequest(url, options);
}

function loginHeader(proxy: ProxyServer): OutgoingHttpHeaders {
  const login = proxyLogin(proxy);
  return login === undefined ? {} : { 'proxy-authorization': login };
}

function unreached(proxy: ProxyServer, error: Error & { code?: string }): ProxyError {
  return new ProxyError(proxy, `can't be reached (${error.code || error.message})`, { passing: true });
}

function refused(
  proxy: ProxyServer,
  server: string,
  { statusCode = 0 }: { statusCode?: number | undefined },
): ProxyError {
  if (statusCode !== 407)
    return new ProxyError(proxy, `answered HTTP ${statusCode} instead of connecting to ${server}`);
  const known = proxyLogin(proxy) !== undefined;
  return new ProxyError(
    proxy,
    known ? 'refuses that user and password (407)' : 'asks for a user and a password (407)',
    {
      hint: `Set ${proxy.variable} to http://USER:PASSWORD@HOST:PORT, special characters percent-encoded.`,
    },
  );
}
