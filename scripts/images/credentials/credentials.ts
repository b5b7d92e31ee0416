import type { Config } from '../../config/config.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { UsageError } from '../../lib/errors.ts';
import type { Exec } from '../../lib/exec.ts';
import { base64, fromBase64, Secret } from '../../lib/secret.ts';
import { capitalized, jsonIn } from '../../lib/text.ts';
import type { TokenOwner } from './github.ts';
import { checkToken, type Explanation, ghcrHost, type Verdict } from './token-check.ts';
import { cleanToken, type SourceName, type TokenSource, tokenSources } from './token-sources.ts';

/** An account that may pull the images, or at least was not refused. */
export interface Account {
  token: Secret;
  /** The token's owner; a name that GHCR accepts where GitHub didn't tell. */
  username: string;
  owner: TokenOwner | undefined;
  source: TokenSource['name'];
  title: string;
  /** Whether GHCR was asked and said yes. */
  checked: boolean;
}

/** What came of looking in all places. `notes` is what a person should know of it, a sentence each. */
export interface AccountSearch {
  account: Account | undefined;
  notes: string[];
  /** The first token that doesn't work and was passed over: what is wrong with it and what to do. */
  refused?: Explanation;
}

/**
 * Takes the first token that works. One that only happens to lie somewhere and doesn't work is mentioned and passed
 * over; one that was put into `.env` for this purpose is a `UsageError`.
 */
export async function findAccount(
  sources: readonly TokenSource[],
  check: (token: Secret, source: SourceName) => Promise<Verdict>,
): Promise<AccountSearch> {
  const notes: string[] = [];
  let refused: AccountSearch['refused'];
  for (const source of sources) {
    const cleaned = cleanToken((await source.find()) ?? '');
    if (cleaned.state === 'empty') continue;
    const verdict = cleaned.state === 'refused' ? cleaned : await check(cleaned.token, source.name);
    const title = capitalized(source.title);
    if (verdict.state === 'refused') {
      const message = `${title}: ${verdict.message}`;
      const hint = `${verdict.remedy} (npm run credentials puts another one in its place.)`;
      if (source.deliberate) throw new UsageError(message, { id: verdict.errorId, hint });
      refused ??= { errorId: verdict.errorId, message, remedy: verdict.remedy };
      notes.push(`Not used: ${source.title}. ${verdict.message}`);
    } else if (cleaned.state === 'clean') {
      if (cleaned.cut !== undefined) notes.push(`${title}: the ${cleaned.cut} around the token were left out.`);
      if (verdict.state === 'unchecked') notes.push(verdict.message);
      return { account: accountOf(cleaned.token, source, verdict), notes };
    }
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
    owner?.expires && `until ${isoDate(owner.expires)}`,
    checked ? undefined : 'not checked',
  ];
  return `${about.filter(Boolean).join(', ')} (${tokenEnding(token)})`;
}

/** The last four characters of a token, by which its owner knows it again. */
export function tokenEnding(token: Secret): string {
  return `…${token.reveal().slice(-4)}`;
}

/** As in `2030-01-02`. */
export function isoDate(date: Date): string {
  return date.toISOString().slice(0, 10);
}

/** What the services' images are pulled with. Nothing is looked for before it is asked for, and then once. */
export type Credentials = ReturnType<typeof createCredentials>;

interface CredentialsOptions {
  tokens: Config['tokens'];
  exec: Exec;
  signal: AbortSignal;
  /** The images that the token has to reach. */
  images: () => Promise<string[]>;
}

export function createCredentials({ tokens, exec, signal, images }: CredentialsOptions) {
  let found: Promise<AccountSearch> | undefined;
  /** Tries a token on the images that the values name. */
  const check = async (token: Secret, source?: SourceName): Promise<Verdict> =>
    checkToken(token, { images: await images(), signal, fromGh: source === 'gh' });
  /** The account and what is to be said about it. Throws a `UsageError` where the token in `.env` doesn't work. */
  const search = (): Promise<AccountSearch> => {
    found ??= findAccount(tokens.use === 'none' ? [] : tokenSources({ ...tokens, exec }), check);
    return found;
  };
  return {
    search,
    /** The account alone, or undefined: then stubs take the images' places. Throws like `search`. */
    account: async () => (await search()).account,
    check,
    /** Goes on with this account, or with none. */
    use(account: Account | undefined): void {
      found = Promise.resolve({ account, notes: [] });
    },
  };
}

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
  return base64(JSON.stringify({ auths: { [ghcrHost]: { auth } } }));
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
  // Where it is no JSON, it is in no message either.
  const { auths } = jsonIn<{ auths: Record<string, { auth?: string; password?: string }> | null }>(fromBase64(content));
  const entry = Object.entries(auths ?? {}).find(
    ([address]) => address.replace(/^https?:\/\//, '').split('/')[0] === ghcrHost,
  );
  const { password, auth = '' } = entry?.[1] ?? {};
  const found = password ?? fromBase64(auth).replace(/^[^:]*:?/, '');
  return found === '' ? undefined : new Secret(found);
}
