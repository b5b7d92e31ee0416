import { fetchReply, Unanswered } from '../lib/http/fetch.ts';
import { base64, type Secret } from '../lib/secret.ts';
import { shared } from '../lib/tasks.ts';
import { jsonIn } from '../lib/text.ts';

/** An image's name, taken apart: `ghcr.io/owner/name:tag` is owner/name at tag in ghcr.io. */
export interface ImageName {
  registry: string;
  repository: string;
  /** Tag or digest. */
  reference: string;
}

/** What a registry keeps under a name, or why it doesn't hand it out. `by` tells who turned the account away: at the door, or at this image. */
export type RegistryContent =
  | { state: 'found'; body: string }
  | { state: 'missing' }
  | { state: 'denied'; by: 'token service' | 'registry' };

interface RegistryOptions {
  /** As in `https://ghcr.io`. */
  origin: string;
  /** Without them, as anybody. */
  username?: string;
  password?: Secret;
  signal: AbortSignal;
  /** Milliseconds for a single request. */
  timeout?: number;
}

export type Registry = ReturnType<typeof createRegistry>;

/** Everything that a tag may point to (OCI Image Specification 1.1; Docker's Image Manifest Version 2, Schema 2). */
const manifestTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

/**
 * Talks to a registry as Docker does (distribution's "Token Authentication Specification"): asks which token service it
 * trusts, gets a token for one repository with name and password, and asks for the manifest with that.
 */
export function createRegistry({ origin, username, password, signal, timeout }: RegistryOptions) {
  const options = { signal, ...(timeout !== undefined && { timeout }) };
  const login = () => (password ? { authorization: `Basic ${base64(`${username}:${password.reveal()}`)}` } : {});
  let door: Promise<URL> | undefined;
  const tokens = new Map<string, Promise<string | undefined>>();

  const askForToken = async (repository: string): Promise<string | undefined> => {
    door ??= fetchReply(`${origin}/v2/`, options).then(({ headers }) =>
      tokenService(origin, headers['www-authenticate']),
    );
    const url = new URL(await door);
    // The scope is ours to choose: the one that GHCR names at its door is a placeholder.
    url.searchParams.set('scope', `repository:${repository}:pull`);
    const { status, body } = await fetchReply(url.href, { ...options, headers: login() });
    if (status === 401 || status === 403) return undefined;
    const { token, access_token: other } = jsonIn<{ token: unknown; access_token: unknown }>(body);
    const found = status === 200 ? [token, other].find((one) => typeof one === 'string' && one !== '') : undefined;
    if (found === undefined) throw new Unanswered(url.href, `gave no token (HTTP ${status})`);
    return found as string;
  };
  const request = async (method: 'GET' | 'HEAD', repository: string, path: string): Promise<RegistryContent> => {
    // Good for some minutes, which is longer than a command asks.
    const token = await shared(tokens, repository, () => askForToken(repository));
    if (token === undefined) return { state: 'denied', by: 'token service' };
    const url = `${origin}/v2/${repository}/${path}`;
    const headers = { accept: manifestTypes, authorization: `Bearer ${token}` };
    const reply = await fetchReply(url, { ...options, method, headers });
    // Blobs lie elsewhere, where the token has no business: the address itself opens the door.
    const elsewhere = reply.status === 307 || reply.status === 302 ? reply.headers.location : undefined;
    const { status, body } = elsewhere === undefined ? reply : await fetchReply(new URL(elsewhere, url).href, options);
    if (status === 200) return { state: 'found', body };
    if (status === 404) return { state: 'missing' };
    if (status === 401 || status === 403) return { state: 'denied', by: 'registry' };
    throw new Unanswered(url, `answered HTTP ${status}`);
  };
  return {
    /** Asks for an image's manifest without fetching it. Throws `Unanswered` or `Interrupted`. */
    look: (repository: string, reference: string) => request('HEAD', repository, `manifests/${reference}`),
    /** Fetches a manifest or a blob that is text. Throws `Unanswered` or `Interrupted`. */
    fetch: (repository: string, kind: 'manifests' | 'blobs', reference: string) =>
      request('GET', repository, `${kind}/${reference}`),
  };
}

/** The address that a registry sends its guests to. A password is sent nowhere else than to the registry's own host. */
function tokenService(origin: string, challenge: string | undefined): URL {
  const parameters = new Map(
    [...(challenge ?? '').matchAll(/(\w+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value]),
  );
  const { host } = new URL(origin);
  const named = parameters.get('realm');
  const url = new URL(named !== undefined && URL.canParse(named) ? named : `${origin}/token`);
  if (url.origin !== new URL(origin).origin) throw new Unanswered(origin, `asks to log in at ${url.host}`);
  url.searchParams.set('service', parameters.get('service') ?? host);
  return url;
}

/** Takes a full image name apart. A name without tag means `latest`. */
export function parseImage(image: string): ImageName {
  const [name = '', digest] = image.split('@');
  const slash = name.indexOf('/');
  const rest = name.slice(slash + 1);
  const colon = rest.lastIndexOf(':');
  return {
    registry: name.slice(0, Math.max(slash, 0)),
    repository: colon < 0 ? rest : rest.slice(0, colon),
    reference: digest ?? (colon < 0 ? 'latest' : rest.slice(colon + 1)),
  };
}

/** What a registry tells of an image without pulling it. */
export interface ImageFacts {
  /** Operating system and architecture of each variant, as in `linux/amd64`. */
  platforms: string[];
  /** When it was built, if it says so. */
  created: Date | undefined;
}

interface Platform {
  os?: string;
  architecture?: string;
}

/** A manifest or an index of manifests (OCI Image Specification 1.1, and Docker's forms of both). */
interface ManifestDocument {
  manifests?: { digest: string; platform?: Platform }[];
  config?: { digest: string };
}

/**
 * Reads what an image is made for and when: of an index, the variant for one of these architectures, or else the first.
 * Throws `Unanswered` or `Interrupted`.
 */
export async function readImage(
  registry: Registry,
  repository: string,
  reference: string,
  architectures: readonly string[] = [],
): Promise<{ state: 'found'; facts: ImageFacts } | Exclude<RegistryContent, { state: 'found' }>> {
  const first = await registry.fetch(repository, 'manifests', reference);
  if (first.state !== 'found') return first;
  const top = jsonIn<ManifestDocument>(first.body);
  // What stands beside the variants, such as attestations, is for no platform at all.
  const variants = (top.manifests ?? []).filter(({ platform }) => platform?.os && platform.os !== 'unknown');
  const variant = variants.find(({ platform }) => architectures.includes(platform?.architecture ?? '')) ?? variants[0];
  const chosen = variant ? await registry.fetch(repository, 'manifests', variant.digest) : first;
  if (chosen.state !== 'found') return chosen;
  const { config } = jsonIn<ManifestDocument>(chosen.body);
  const about = config && (await registry.fetch(repository, 'blobs', config.digest));
  const described = about?.state === 'found' ? jsonIn<Platform & { created?: string }>(about.body) : {};
  const platforms = variants.length > 0 ? variants.map(({ platform }) => platform ?? {}) : [described];
  const names = platforms.flatMap(({ os, architecture }) => (os && architecture ? [`${os}/${architecture}`] : []));
  return { state: 'found', facts: { platforms: [...new Set(names)], created: buildDateIn(described.created) } };
}

/** Builds that shall come out the same each time are dated to 1970 or 1980, which says nothing. */
function buildDateIn(text: string | undefined): Date | undefined {
  const date = new Date(text ?? '');
  return Number.isNaN(date.getTime()) || date.getUTCFullYear() < 2000 ? undefined : date;
}
