import { type HttpResponse, headerOf } from '../../lib/http/client.ts';
import { fetchReply, Unanswered } from '../../lib/http/fetch.ts';
import type { Secret } from '../../lib/secret.ts';
import { jsonIn } from '../../lib/text.ts';

/** Whom a token belongs to, as far as GitHub tells. */
export interface TokenOwner {
  login: string;
  /** What a classic token may do; undefined for the kinds of tokens that have no scopes. */
  scopes: string[] | undefined;
  /** Undefined for a token that doesn't expire. */
  expires: Date | undefined;
}

export interface GithubOptions {
  signal: AbortSignal;
  /** Default: `https://api.github.com`. */
  origin?: string;
  /** Milliseconds for a single request. */
  timeout?: number;
}

/**
 * The owner of a token, or undefined where GitHub doesn't know it, which is also what an expired one gets. The token of
 * an app or a workflow has no user: `login` is empty then. Throws `Unanswered` or `Interrupted`.
 */
export async function tokenOwner(token: Secret, options: GithubOptions): Promise<TokenOwner | undefined> {
  const reply = await askGithub('/user', token, options);
  const { status, body } = reply;
  if (status === 401) return undefined;
  return {
    login: status === 200 ? loginIn(body) : '',
    scopes: headerOf(reply, 'x-oauth-scopes')?.split(/,\s*/).filter(Boolean),
    expires: dateIn(headerOf(reply, 'github-authentication-token-expiration')),
  };
}

/**
 * The page on which the token's owner lets it into an organisation with single sign-on, or undefined where GitHub
 * doesn't ask for that. The link is good for an hour. Throws `Unanswered` or `Interrupted`.
 */
export async function singleSignOnLink(
  token: Secret,
  organisation: string,
  options: GithubOptions,
): Promise<string | undefined> {
  const reply = await askGithub(`/orgs/${encodeURIComponent(organisation)}`, token, options);
  // "required; url=https://github.com/orgs/NAME/sso?authorization_request=…" (REST API, "Authenticating").
  return headerOf(reply, 'x-github-sso')?.match(/^required;\s*url=(https:\/\/\S+)$/)?.[1];
}

async function askGithub(path: string, token: Secret, options: GithubOptions): Promise<HttpResponse> {
  const { origin = 'https://api.github.com', signal, timeout } = options;
  const reply = await fetchReply(origin + path, {
    signal,
    ...(timeout !== undefined && { timeout }),
    headers: {
      accept: 'application/vnd.github+json',
      'x-github-api-version': '2022-11-28',
      authorization: `Bearer ${token.reveal()}`,
    },
  });
  if (reply.status === 403 && headerOf(reply, 'x-ratelimit-remaining') === '0')
    throw new Unanswered(origin, 'answers no more for this hour (rate limit)');
  return reply;
}

function loginIn(body: string): string {
  const { login } = jsonIn<{ login: unknown }>(body);
  return typeof login === 'string' ? login : '';
}

/** GitHub writes `2026-12-01 12:00:00 UTC`, or a number in place of the zone's name. */
function dateIn(text: string | undefined): Date | undefined {
  const date = new Date(text ?? '');
  return Number.isNaN(date.getTime()) ? undefined : date;
}
