import { Unanswered } from '../../lib/download/web.ts';
import type { Secret } from '../../lib/secret.ts';
import { type Owner, ownerOf, singleSignOnLink } from '../registry/github.ts';
import { createRegistry, type ImageName, type Manifest, parseImage } from '../registry/registry.ts';
import * as sentences from './sentences.ts';

/** The registry that the token is for. */
export const registry = 'ghcr.io';

/** Why a token is of no use. */
export type Trouble =
  | 'unknown'
  | 'fine-grained'
  | 'scope'
  | 'single-sign-on'
  | 'no-access'
  | 'no-such-image'
  | 'turned-away';

/** What came of asking GHCR and GitHub. Messages are one sentence, remedies the one thing to do; neither shows the token. */
export type Verdict =
  | { state: 'works'; owner: Owner | undefined }
  /** Nobody answered, so that it may or may not work. */
  | { state: 'unchecked'; owner: Owner | undefined; message: string }
  | { state: 'refused'; trouble: Trouble; owner: Owner | undefined; message: string; remedy: string };

export interface Endpoints {
  ghcr: string;
  github: string;
}

export interface CheckOptions {
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
const reading = ['read:packages', 'write:packages'];
export const publicEndpoints: Endpoints = { ghcr: `https://${registry}`, github: 'https://api.github.com' };

/**
 * Tries a token on every image. GHCR decides; GitHub, asked for the owner and the scopes, explains. Throws `Interrupted`
 * alone.
 */
export async function checkToken(token: Secret, options: CheckOptions): Promise<Verdict> {
  // GHCR takes classic tokens only (GitHub's "Working with the Container registry"), and would not say why it refuses.
  if (token.reveal().startsWith('github_pat_')) return refused('fine-grained', undefined, sentences.fineGrained());
  const { ghcr, github } = options.endpoints ?? publicEndpoints;
  const request = { signal: options.signal, ...(options.timeout !== undefined && { timeout: options.timeout }) };
  const owner = await answered(() => ownerOf(token, { ...request, origin: github }));
  if (!(owner instanceof Unanswered) && owner === undefined)
    return refused('unknown', undefined, sentences.unknown(options.fromGh));
  const known = owner instanceof Unanswered ? undefined : owner;

  const images = options.images.map(parseImage).filter((image) => image.registry === registry);
  const client = createRegistry({ origin: ghcr, username: known?.login || 'token', password: token, ...request });
  const found = await Promise.all(
    images.map((image) => answered(() => client.look(image.repository, image.reference))),
  );
  const silent = found.find((one) => one instanceof Unanswered);
  const withState = (wanted: (one: Manifest) => boolean) =>
    images.filter((_, index) => {
      const one = found[index];
      return one !== undefined && !(one instanceof Unanswered) && wanted(one);
    });

  const [atDoor] = withState((one) => one.state === 'denied' && one.by === 'token service');
  if (atDoor) {
    return known === undefined
      ? refused('unknown', undefined, sentences.unknown(options.fromGh))
      : refused('turned-away', known, sentences.turnedAway(known.login));
  }
  const denied = withState((one) => one.state === 'denied');
  const missing = withState((one) => one.state === 'missing');
  // Registries say "not there" as well of what they hide, and what GitHub says of the scopes holds, whoever is silent.
  if ((denied.length > 0 || missing.length > 0 || silent) && lacksScope(known))
    return refused('scope', known, sentences.scope(known.scopes, options.fromGh));
  if (denied.length > 0) return explainDenial(token, known, denied, { ...request, origin: github });
  if (missing.length > 0) return refused('no-such-image', known, sentences.noSuchImage(missing));
  if (silent) return { state: 'unchecked', owner: known, message: sentences.unchecked(silent) };
  if (owner instanceof Unanswered && images.length === 0)
    return { state: 'unchecked', owner: undefined, message: sentences.unchecked(owner) };
  return { state: 'works', owner: known };
}

async function explainDenial(
  token: Secret,
  owner: Owner | undefined,
  denied: readonly ImageName[],
  request: { signal: AbortSignal; origin: string },
): Promise<Verdict> {
  const [organisation = ''] = denied[0]?.repository.split('/') ?? [];
  const link = await answered(() => singleSignOnLink(token, organisation, request));
  if (typeof link === 'string') return refused('single-sign-on', owner, sentences.singleSignOn(organisation, link));
  return refused('no-access', owner, sentences.noAccess(owner?.login, denied));
}

function lacksScope(owner: Owner | undefined): owner is Owner & { scopes: string[] } {
  return owner?.scopes !== undefined && !owner.scopes.some((scope) => reading.includes(scope));
}

function refused(trouble: Trouble, owner: Owner | undefined, said: sentences.Said): Verdict {
  return { state: 'refused', trouble, owner, ...said };
}

async function answered<T>(question: () => Promise<T>): Promise<T | Unanswered> {
  try {
    return await question();
  } catch (error) {
    if (error instanceof Unanswered) return error;
    throw error;
  }
}
