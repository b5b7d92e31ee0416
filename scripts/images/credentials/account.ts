import { UsageError } from '../../lib/errors.ts';
import type { Secret } from '../../lib/secret.ts';
import type { Owner } from '../registry/github.ts';
import type { Verdict } from './check.ts';
import { cleanToken } from './clean-token.ts';
import type { TokenSource } from './token-sources.ts';

/** An account that may pull the images, or at least was not refused. */
export interface Account {
  token: Secret;
  /** The token's owner; a name that GHCR accepts where GitHub didn't tell. */
  username: string;
  owner: Owner | undefined;
  source: TokenSource['name'];
  title: string;
  /** Whether GHCR was asked and said yes. */
  checked: boolean;
}

/** What came of looking in all places. `notes` is what a person should know of it, a sentence each. */
export interface Search {
  account: Account | undefined;
  notes: string[];
  /** The first token that doesn't work and was passed over: what is wrong with it and what to do. */
  refused?: { message: string; remedy: string };
}

export type Check = (token: Secret, source: TokenSource['name']) => Promise<Verdict>;

/**
 * Takes the first token that works. One that only happens to lie somewhere and doesn't work is mentioned and passed
 * over; one that was put into `.env` for this purpose is a `UsageError`.
 */
export async function findAccount(sources: readonly TokenSource[], check: Check): Promise<Search> {
  const notes: string[] = [];
  let refused: Search['refused'];
  for (const source of sources) {
    const text = await source.find();
    const cleaned = text === undefined ? ({ state: 'empty' } as const) : cleanToken(text);
    if (cleaned.state === 'empty') continue;
    const verdict = cleaned.state === 'refused' ? cleaned : await check(cleaned.token, source.name);
    if (verdict.state === 'refused') {
      if (source.deliberate)
        throw new UsageError(
          `${start(source.title)}: ${verdict.message}`,
          `${verdict.remedy} (npm run credentials puts another one in its place.)`,
        );
      refused ??= { message: `${start(source.title)}: ${verdict.message}`, remedy: verdict.remedy };
      notes.push(`Not used: ${source.title}. ${verdict.message}`);
      continue;
    }
    if (cleaned.state !== 'clean') continue;
    if (cleaned.cut !== undefined)
      notes.push(`${start(source.title)}: the ${cleaned.cut} around the token were left out.`);
    if (verdict.state === 'unchecked') notes.push(verdict.message);
    return { account: accountOf(cleaned.token, source, verdict), notes };
  }
  return { account: undefined, notes, ...(refused && { refused }) };
}

/** The account that a token stands for, once it was not refused. */
export function accountOf(
  token: Secret,
  source: Pick<TokenSource, 'name' | 'title'>,
  verdict: Extract<Verdict, { state: 'works' | 'unchecked' }>,
): Account {
  return {
    token,
    // GHCR looks at the token alone, but wants some name with it.
    username: verdict.owner?.login || 'token',
    owner: verdict.owner,
    source: source.name,
    title: source.title,
    checked: verdict.state === 'works',
  };
}

/** As in `octocat, with read:packages, until 2030-01-02 (…c0de)`. Of the token itself, its end is all that is ever shown. */
export function describeAccount({ username, owner, checked, token }: Account): string {
  const about = [
    owner?.login ? username : 'an account that GitHub did not name',
    owner?.scopes && (owner.scopes.length > 0 ? `with ${owner.scopes.join(', ')}` : 'without any scope'),
    owner?.expires && `until ${day(owner.expires)}`,
    checked ? undefined : 'not checked',
  ];
  return `${about.filter(Boolean).join(', ')} (${ending(token)})`;
}

/** The last four characters of a token, by which its owner knows it again. */
export function ending(token: Secret): string {
  return `…${token.reveal().slice(-4)}`;
}

/** With a capital letter, for the start of a sentence. */
export function start(title: string): string {
  return title.charAt(0).toUpperCase() + title.slice(1);
}

/** As in `2030-01-02`. */
export function day(date: Date): string {
  return date.toISOString().slice(0, 10);
}
