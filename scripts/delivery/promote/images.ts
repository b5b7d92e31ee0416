import type { Context } from '../../images/context.ts';
import { type Account, type AccountSearch, findAccount } from '../../images/credentials/credentials.ts';
import { checkToken, type Endpoints, ghcrHost, publicEndpoints } from '../../images/credentials/token-check.ts';
import { tokenSources } from '../../images/credentials/token-sources.ts';
import { createRegistry, type ImageFacts, parseImage, type Registry, readImage } from '../../images/registry.ts';
import { UserError } from '../../lib/errors.ts';
import { Unanswered } from '../../lib/http/fetch.ts';

/** What is known of images before they are promoted. */
export interface Looked {
  /** None: then stand-ins take the images' places. */
  account: Account | undefined;
  /** By image; those that could not be looked at are left out. */
  facts: Map<string, ImageFacts>;
  /** What a person should know, a sentence each. */
  notes: string[];
}

interface Wanted {
  /** Those of the node, as in `amd64`; none where there is no node to ask. */
  architectures: readonly string[];
  endpoints?: Endpoints;
}

/**
 * Asks the registry for images (service to image), with the account that the platform has. Throws a `UserError` for one
 * that is not there or is built for other processors than the node has. Where the registry doesn't answer, that is noted,
 * and the rolling update is what stands between a missing image and the service.
 */
export async function lookAtImages(
  context: Context,
  images: ReadonlyMap<string, string>,
  { architectures, endpoints = publicEndpoints }: Wanted,
): Promise<Looked> {
  const { account, notes } = await accountFor(context, [...images.values()], endpoints);
  const facts = new Map<string, ImageFacts>();
  if (!account) return { account, facts, notes };
  const client = registryAs(account, context, endpoints);
  for (const [service, image] of images) {
    const found = await look(client, image, account, service, architectures);
    if (typeof found === 'string') notes.push(found);
    else facts.set(image, found);
  }
  return { account, facts, notes };
}

/** The registry of the services' images, asked as this account. */
export function registryAs(account: Account, { signal }: Context, { ghcr }: Endpoints = publicEndpoints): Registry {
  return createRegistry({ origin: ghcr, username: account.username, password: account.token, signal });
}

/**
 * The first token that reads these images. That an image is missing is no fault of the token, and said later. Throws a
 * `UsageError` where the token in `.env` doesn't work.
 */
export async function accountFor(
  { config, exec, signal }: Context,
  images: readonly string[],
  endpoints: Endpoints = publicEndpoints,
): Promise<AccountSearch> {
  if (config.tokens.use === 'none') return { account: undefined, notes: [] };
  return findAccount(tokenSources({ ...config.tokens, exec }), async (token, source) => {
    const verdict = await checkToken(token, { images, signal, endpoints, fromGh: source === 'gh' });
    const onlyMissing = verdict.state === 'refused' && verdict.trouble === 'no-such-image';
    return onlyMissing ? { state: 'works', owner: verdict.owner } : verdict;
  });
}

async function look(
  client: Registry,
  image: string,
  account: Account,
  service: string,
  architectures: readonly string[],
): Promise<ImageFacts | string> {
  const name = parseImage(image);
  if (name.registry !== ghcrHost) return `${image} was not looked at: it is not in ${ghcrHost}.`;
  try {
    const found = await readImage(client, name.repository, name.reference, architectures);
    if (found.state === 'missing')
      throw new UserError(`${image} does not exist.`, {
        hint: `Check the SHA, and that CI has pushed it. npm run history -- ${service} lists earlier ones.`,
      });
    if (found.state === 'denied')
      throw new UserError(`${account.username} may not read ${image}, or it does not exist.`, {
        hint: 'Check the SHA, and the token: npm run credentials -- --check',
      });
    refuseOtherPlatforms(image, found.facts, architectures);
    return found.facts;
  } catch (error) {
    if (error instanceof Unanswered) return `Whether ${image} exists is not known: ${error.message}.`;
    throw error;
  }
}

function refuseOtherPlatforms(image: string, { platforms }: ImageFacts, architectures: readonly string[]): void {
  if (platforms.length === 0 || architectures.length === 0) return;
  const wanted = architectures.map((one) => `linux/${one}`);
  if (wanted.some((one) => platforms.includes(one))) return;
  throw new UserError(`${image} is built for ${platforms.join(' and ')}, and the node needs ${wanted.join(' or ')}.`, {
    hint: `Have CI build it for both: docker buildx build --platform linux/amd64,linux/arm64`,
  });
}
