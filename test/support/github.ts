import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Endpoints } from '../../scripts/images/credentials/token-check.ts';

/** What a token may do. */
export interface Rights {
  login: string;
  scopes?: string;
  expires?: string;
  /** Owners whose packages it reads. Default: all. */
  reads?: string[];
  /** An organisation that demands single sign-on of it. */
  singleSignOn?: string;
  /** Known to GitHub, but not taken by GHCR's token service. */
  turnedAway?: boolean;
}

export interface PlayedGithub {
  endpoints: Endpoints;
  /** Method and path of every request, in order, with the user name where one was given. */
  requests: string[];
  /** Statuses to answer with in place of what would be right, by the start of the path. */
  faults: Map<string, number>;
  /** What manifests and blobs hold, by the end of their path: `api-node/manifests/1`. */
  kept: Map<string, unknown>;
  close(): void;
}

/** The images that exist. */
export const tags = ['ann/api-node:1', 'ann/core-go:1', 'ann/worker-python:1'];
export const images = tags.map((tag) => `ghcr.io/${tag}`);

/** A server on this machine that plays GHCR and GitHub, for the tokens given. */
export async function playGithub(accounts: Record<string, Rights>): Promise<PlayedGithub> {
  const requests: string[] = [];
  const faults = new Map<string, number>();
  const kept = new Map<string, unknown>();
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', `http://${request.headers.host}`);
    const { name, token } = login(request);
    requests.push(`${request.method} ${url.pathname}${name === undefined ? '' : ` as ${name}`}`);
    const fault = [...faults].find(([path]) => url.pathname.startsWith(path));
    if (fault) answer(response, fault[1]);
    else if (url.pathname === '/user') user(response, accounts[token]);
    else if (url.pathname.startsWith('/orgs/')) organisation(response, url, accounts[token]);
    else if (url.pathname === '/token') giveToken(response, token, accounts[token]);
    else if (url.pathname.startsWith('/blob-store/'))
      blob(response, request, kept.get(url.searchParams.get('of') ?? ''));
    else registry(response, url, accounts[token], kept);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { endpoints: { ghcr: origin, github: origin }, requests, faults, kept, close };
}

function login({ headers }: IncomingMessage): { name: string | undefined; token: string } {
  const [kind, value = ''] = headers.authorization?.split(' ') ?? [];
  if (kind !== 'Basic') return { name: undefined, token: value };
  const [name, token = ''] = Buffer.from(value, 'base64').toString('utf8').split(':');
  return { name, token };
}

function answer(
  response: ServerResponse,
  status: number,
  body: unknown = {},
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

function user(response: ServerResponse, rights: Rights | undefined): void {
  if (!rights) {
    answer(response, 401, { message: 'Bad credentials' });
    return;
  }
  const headers = {
    ...(rights.scopes !== undefined && { 'x-oauth-scopes': rights.scopes }),
    ...(rights.expires !== undefined && { 'github-authentication-token-expiration': rights.expires }),
  };
  answer(response, 200, { login: rights.login }, headers);
}

function organisation(response: ServerResponse, url: URL, rights: Rights | undefined): void {
  const name = url.pathname.split('/').at(-1);
  const link = `https://github.com/orgs/${name}/sso?authorization_request=abc`;
  if (rights?.singleSignOn === name) answer(response, 403, {}, { 'x-github-sso': `required; url=${link}` });
  else answer(response, 404);
}

function giveToken(response: ServerResponse, token: string, rights: Rights | undefined): void {
  if (!rights || rights.turnedAway) answer(response, 403, { errors: [{ code: 'DENIED' }] });
  // The one for the registry is the same here, which the registry then finds the rights by.
  else answer(response, 200, { token });
}

/** Where GHCR sends those who ask for a blob: the address is the key, and whoever brings a token along is turned away. */
function blob(response: ServerResponse, { headers }: IncomingMessage, content: unknown): void {
  if (headers.authorization !== undefined) answer(response, 400, { message: 'Only one auth mechanism allowed' });
  else answer(response, content === undefined ? 404 : 200, content);
}

function registry(
  response: ServerResponse,
  url: URL,
  rights: Rights | undefined,
  kept: ReadonlyMap<string, unknown>,
): void {
  const [, owner = '', name, kind, tag] = url.pathname.match(/^\/v2\/([^/]+)\/([^/]+)\/(manifests|blobs)\/(.+)$/) ?? [];
  const path = `${name}/${kind}/${tag}`;
  const challenge = `Bearer realm="${url.origin}/token",service="ghcr.io",scope="repository:user/image:pull"`;
  const allowed = rights?.scopes?.includes('read:packages') && rights.reads?.includes(owner) !== false;
  if (!rights) answer(response, 401, {}, { 'www-authenticate': challenge });
  else if (!allowed || rights.singleSignOn === owner) answer(response, 403);
  else if (kind === 'blobs') answer(response, 307, {}, { location: `${url.origin}/blob-store/x?of=${path}` });
  else if (kept.has(path)) answer(response, 200, kept.get(path));
  else answer(response, tags.includes(`${owner}/${name}:${tag}`) ? 200 : 404);
}
