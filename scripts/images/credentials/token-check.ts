import { Unanswered } from '../../lib/http/fetch.ts';
import type { Secret } from '../../lib/secret.ts';
import { createRegistry, type ImageName, type ManifestStatus, parseImage } from '../registry.ts';
import { singleSignOnLink, type TokenOwner, tokenOwner } from './github.ts';

/** The registry that the token is for. */
export const ghcrHost = 'ghcr.io';

/** Why a token is of no use. */
type TokenProblem =
  | 'unknown'
  | 'fine-grained'
  | 'scope'
  | 'single-sign-on'
  | 'no-access'
  | 'no-such-image'
  | 'turned-away';

/** What came of asking GHCR and GitHub. Messages are one sentence, remedies the one thing to do; neither shows the token. */
export type Verdict =
  | { state: 'works'; owner: TokenOwner | undefined }
  /** Nobody answered, so that it may or may not work. */
  | { state: 'unchecked'; owner: TokenOwner | undefined; message: string }
  | ({ state: 'refused'; trouble: TokenProblem; owner: TokenOwner | undefined } & Explanation);

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

/**
 * Tries a token on every image. GHCR decides; GitHub, asked for the owner and the scopes, explains. Throws `Interrupted`
 * alone.
 */
export async function checkToken(token: Secret, options: CheckOptions): Promise<Verdict> {
  // GHCR takes classic tokens only (GitHub's "Working with the Container registry"), and would not say why it refuses.
  if (token.reveal().startsWith('github_pat_')) return refused('fine-grained', undefined, fineGrainedToken());
  const { ghcr, github } = options.endpoints ?? publicEndpoints;
  const request = { signal: options.signal, ...(options.timeout !== undefined && { timeout: options.timeout }) };
  const owner = await replyOrUnanswered(() => tokenOwner(token, { ...request, origin: github }));
  if (!(owner instanceof Unanswered) && owner === undefined)
    return refused('unknown', undefined, unknownToken(options.fromGh));
  const known = owner instanceof Unanswered ? undefined : owner;

  const images = options.images.map(parseImage).filter((image) => image.registry === ghcrHost);
  const client = createRegistry({ origin: ghcr, username: known?.login || 'token', password: token, ...request });
  const found = await Promise.all(
    images.map((image) => replyOrUnanswered(() => client.look(image.repository, image.reference))),
  );
  const silent = found.find((one) => one instanceof Unanswered);
  const withState = (wanted: (one: ManifestStatus) => boolean) =>
    images.filter((_, index) => {
      const one = found[index];
      return one !== undefined && !(one instanceof Unanswered) && wanted(one);
    });

  const [atDoor] = withState((one) => one.state === 'denied' && one.by === 'token service');
  if (atDoor) {
    return known === undefined
      ? refused('unknown', undefined, unknownToken(options.fromGh))
      : refused('turned-away', known, tokenNotAccepted(known.login));
  }
  const denied = withState((one) => one.state === 'denied');
  const missing = withState((one) => one.state === 'missing');
  // Registries say "not there" as well of what they hide, and what GitHub says of the scopes holds, whoever is silent.
  if ((denied.length > 0 || missing.length > 0 || silent) && lacksScope(known))
    return refused('scope', known, missingScope(known.scopes, options.fromGh));
  if (denied.length > 0) return explainDenial(token, known, denied, { ...request, origin: github });
  if (missing.length > 0) return refused('no-such-image', known, noSuchImage(missing));
  if (silent) return { state: 'unchecked', owner: known, message: notChecked(silent) };
  if (owner instanceof Unanswered && images.length === 0)
    return { state: 'unchecked', owner: undefined, message: notChecked(owner) };
  return { state: 'works', owner: known };
}

async function explainDenial(
  token: Secret,
  owner: TokenOwner | undefined,
  denied: readonly ImageName[],
  request: { signal: AbortSignal; origin: string },
): Promise<Verdict> {
  const [organisation = ''] = denied[0]?.repository.split('/') ?? [];
  const link = await replyOrUnanswered(() => singleSignOnLink(token, organisation, request));
  if (typeof link === 'string') return refused('single-sign-on', owner, singleSignOnNeeded(organisation, link));
  return refused('no-access', owner, noAccess(owner?.login, denied));
}

function lacksScope(owner: TokenOwner | undefined): owner is TokenOwner & { scopes: string[] } {
  return owner?.scopes !== undefined && !owner.scopes.some((scope) => readScopes.includes(scope));
}

function refused(trouble: TokenProblem, owner: TokenOwner | undefined, said: Explanation): Verdict {
  return { state: 'refused', trouble, owner, ...said };
}

async function replyOrUnanswered<T>(question: () => Promise<T>): Promise<T | Unanswered> {
  try {
    return await question();
  } catch (error) {
    if (error instanceof Unanswered) return error;
    throw error;
  }
}

/** One sentence of what is wrong with a token, one of what to do. */
export interface Explanation {
  /** As in `UserError`. */
  errorId: string;
  message: string;
  remedy: string;
}

/** GitHub's page for a new classic token, with the scope ticked and the name filled in. */
export const newTokenLink = 'https://github.com/settings/tokens/new?scopes=read:packages&description=platform-ops';
const makeOne = `Make a classic token with the scope read:packages: ${newTokenLink}`;
const loginAgain = 'gh auth login --hostname github.com --scopes read:packages';

function unknownToken(fromGh = false): Explanation {
  return {
    errorId: 'token-unknown',
    message: 'GitHub does not know this token: it was mistyped, has expired or was revoked.',
    remedy: fromGh ? loginAgain : makeOne,
  };
}

function fineGrainedToken(): Explanation {
  return {
    errorId: 'token-fine-grained',
    message: 'This is a fine-grained token, and GHCR takes classic ones only.',
    remedy: makeOne,
  };
}

function missingScope(has: readonly string[], fromGh = false): Explanation {
  const scopes = has.length === 0 ? 'no scope at all' : `only ${has.join(', ')}`;
  return {
    errorId: 'token-scope',
    message: `This token may not read packages: it has ${scopes}, and needs read:packages.`,
    remedy: fromGh
      ? 'gh auth refresh --hostname github.com --scopes read:packages'
      : `Tick read:packages for it at https://github.com/settings/tokens, or make another one: ${newTokenLink}`,
  };
}

function tokenNotAccepted(login: string): Explanation {
  const whose = login === '' ? 'This token' : `This token of ${login}`;
  return {
    errorId: 'token-fine-grained',
    message: `${whose} is none that GHCR takes: only classic ones will do.`,
    remedy: makeOne,
  };
}

function singleSignOnNeeded(organisation: string, link: string): Explanation {
  return {
    errorId: 'token-sign-on',
    message: `${organisation} demands single sign-on, and this token is not authorised for it yet.`,
    remedy: `Open this within the hour, and authorise it: ${link}`,
  };
}

function noAccess(login: string | undefined, denied: readonly ImageName[]): Explanation {
  const owners = [...new Set(denied.map(({ repository }) => repository.split('/')[0] ?? ''))].join(' and ');
  const names = denied.map(({ repository }) => repository).join(', ');
  return {
    errorId: 'token-no-access',
    message: `${login || "This token's owner"} may not read these packages of ${owners}: ${names}.`,
    remedy: `Ask ${owners} for the role Read on them (Package settings, Manage access), or use a token of an account that has it.`,
  };
}

function noSuchImage(missing: readonly ImageName[]): Explanation {
  const names = missing
    .map(({ registry, repository, reference }) => `${registry}/${repository}:${reference}`)
    .join(', ');
  return {
    errorId: 'image-not-there',
    message: `GHCR has no ${names}: the package or the tag does not exist.`,
    remedy: 'Correct image.repository and image.tag in helm/*/values.yaml and commit, or push the image.',
  };
}

/** Not a failure: what is not known is left to show itself. */
function notChecked({ message }: Unanswered): string {
  return `The token could not be checked (${message}), and is used as it is.`;
}
