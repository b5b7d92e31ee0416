import { Unanswered } from '../../lib/http/fetch.ts';
import type { Secret } from '../../lib/secret.ts';
import { createRegistry, type ImageName, parseImage, type RegistryContent } from '../registry.ts';
import { singleSignOnLink, type TokenOwner, tokenOwner } from './github.ts';

/** The registry that the token is for. */
export const ghcrHost = 'ghcr.io';

/** Why a token is of no use: one sentence of what is wrong with it, one of what to do. Neither shows it. */
export interface Explanation {
  /** As in `UserError`. */
  errorId: string;
  message: string;
  remedy: string;
}

/** What came of asking GHCR and GitHub. */
export type Verdict =
  | { state: 'works'; owner: TokenOwner | undefined }
  /** Nobody answered, so that it may or may not work. */
  | { state: 'unchecked'; owner: TokenOwner | undefined; message: string }
  | ({ state: 'refused'; owner: TokenOwner | undefined } & Explanation);

export interface Endpoints {
  ghcr: string;
  github: string;
}

interface CheckOptions {
  /** The images that the token has to reach; those of other registries are left aside. */
  images: readonly string[];
  signal: AbortSignal;
  endpoints?: Endpoints;
  /** Milliseconds for a single request. */
  timeout?: number;
  /** Whether gh keeps this token, which then changes what to do. */
  fromGh?: boolean;
}

/** Scopes that include the right to read packages (GitHub's "Scopes for OAuth apps"). */
const readScopes = ['read:packages', 'write:packages'];
export const publicEndpoints: Endpoints = { ghcr: `https://${ghcrHost}`, github: 'https://api.github.com' };

/** GitHub's page for a new classic token, with the scope ticked and the name filled in. */
export const newTokenLink = 'https://github.com/settings/tokens/new?scopes=read:packages&description=platform-ops';
const makeOne = `Make a classic token with the scope read:packages: ${newTokenLink}`;

/**
 * Tries a token on every image. GHCR decides; GitHub, asked for the owner and the scopes, explains. Throws `Interrupted`
 * alone.
 */
export async function checkToken(token: Secret, options: CheckOptions): Promise<Verdict> {
  // GHCR takes classic tokens only (GitHub's "Working with the Container registry"), and would not say why it refuses.
  if (token.reveal().startsWith('github_pat_')) {
    const message = 'This is a fine-grained token, and GHCR takes classic ones only.';
    return refused(undefined, { errorId: 'token-fine-grained', message, remedy: makeOne });
  }
  const { ghcr, github } = options.endpoints ?? publicEndpoints;
  const request = { signal: options.signal, ...(options.timeout !== undefined && { timeout: options.timeout }) };
  const owner = await replyOrUnanswered(() => tokenOwner(token, { ...request, origin: github }));
  if (owner === undefined) return unknownToken(options.fromGh);
  const known = owner instanceof Unanswered ? undefined : owner;

  const images = options.images.map(parseImage).filter((image) => image.registry === ghcrHost);
  const client = createRegistry({ origin: ghcr, username: known?.login || 'token', password: token, ...request });
  const looks = images.map(async (image) => ({
    image,
    found: await replyOrUnanswered(() => client.look(image.repository, image.reference)),
  }));
  const found = await Promise.all(looks);
  const silent = found.map((one) => one.found).find((one) => one instanceof Unanswered);
  const those = (state: RegistryContent['state'], by?: 'token service') =>
    found.flatMap(({ image, found: one }) => {
      if (one instanceof Unanswered || one.state !== state) return [];
      return by === undefined || ('by' in one && one.by === by) ? [image] : [];
    });

  if (those('denied', 'token service').length > 0) return known ? notAccepted(known) : unknownToken(options.fromGh);
  const [denied, missing] = [those('denied'), those('missing')];
  // Registries say "not there" as well of what they hide, and what GitHub says of the scopes holds, whoever is silent.
  if ((denied.length > 0 || missing.length > 0 || silent) && known?.scopes && !readsPackages(known.scopes))
    return missingScope(known, known.scopes, options.fromGh);
  if (denied.length > 0) return explainDenial(token, known, denied, { ...request, origin: github });
  if (missing.length > 0) return noSuchImage(known, missing);
  const unanswered = silent ?? (owner instanceof Unanswered && images.length === 0 ? owner : undefined);
  if (unanswered === undefined) return { state: 'works', owner: known };
  // Not a failure: what is not known is left to show itself.
  const message = `The token could not be checked (${unanswered.message}), and is used as it is.`;
  return { state: 'unchecked', owner: known, message };
}

async function replyOrUnanswered<T>(question: () => Promise<T>): Promise<T | Unanswered> {
  try {
    return await question();
  } catch (error) {
    if (error instanceof Unanswered) return error;
    throw error;
  }
}

function readsPackages(scopes: readonly string[]): boolean {
  return scopes.some((scope) => readScopes.includes(scope));
}

function refused(owner: TokenOwner | undefined, why: Explanation): Verdict {
  return { state: 'refused', owner, ...why };
}

function unknownToken(fromGh = false): Verdict {
  const message = 'GitHub does not know this token: it was mistyped, has expired or was revoked.';
  const remedy = fromGh ? 'gh auth login --hostname github.com --scopes read:packages' : makeOne;
  return refused(undefined, { errorId: 'token-unknown', message, remedy });
}

function notAccepted(owner: TokenOwner): Verdict {
  const whose = owner.login === '' ? 'This token' : `This token of ${owner.login}`;
  const message = `${whose} is none that GHCR takes: only classic ones will do.`;
  return refused(owner, { errorId: 'token-fine-grained', message, remedy: makeOne });
}

function missingScope(owner: TokenOwner, scopes: readonly string[], fromGh = false): Verdict {
  const has = scopes.length === 0 ? 'no scope at all' : `only ${scopes.join(', ')}`;
  return refused(owner, {
    errorId: 'token-scope',
    message: `This token may not read packages: it has ${has}, and needs read:packages.`,
    remedy: fromGh
      ? 'gh auth refresh --hostname github.com --scopes read:packages'
      : `Tick read:packages for it at https://github.com/settings/tokens, or make another one: ${newTokenLink}`,
  });
}

async function explainDenial(
  token: Secret,
  owner: TokenOwner | undefined,
  denied: readonly ImageName[],
  request: { signal: AbortSignal; origin: string },
): Promise<Verdict> {
  const owners = [...new Set(denied.map(({ repository }) => repository.split('/')[0] ?? ''))];
  const [organisation = ''] = owners;
  const link = await replyOrUnanswered(() => singleSignOnLink(token, organisation, request));
  if (typeof link === 'string') {
    const message = `${organisation} demands single sign-on, and this token is not authorised for it yet.`;
    const remedy = `Open this within the hour, and authorise it: ${link}`;
    return refused(owner, { errorId: 'token-sign-on', message, remedy });
  }
  const [whose, names] = [owners.join(' and '), denied.map(({ repository }) => repository).join(', ')];
  return refused(owner, {
    errorId: 'token-no-access',
    message: `${owner?.login || "This token's owner"} may not read these packages of ${whose}: ${names}.`,
    remedy: `Ask ${whose} for the role Read on them (Package settings, Manage access), or use a token of an account that has it.`,
  });
}

function noSuchImage(owner: TokenOwner | undefined, missing: readonly ImageName[]): Verdict {
  const names = missing.map((one) => `${one.registry}/${one.repository}:${one.reference}`).join(', ');
  return refused(owner, {
    errorId: 'image-not-there',
    message: `GHCR has no ${names}: the package or the tag does not exist.`,
    remedy: 'Correct image.repository and image.tag in helm/*/values.yaml and commit, or push the image.',
  });
}
