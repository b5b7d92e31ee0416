import { cluster } from '../../cluster/cluster.ts';
import { canPull } from '../../components/pull-secret.ts';
import { serviceDeployments } from '../../components/services.ts';
import type { Context } from '../../images/context.ts';
import { type Account, type AccountSearch, findAccount } from '../../images/credentials/credentials.ts';
import { checkToken, type Endpoints, ghcrHost, publicEndpoints } from '../../images/credentials/token-check.ts';
import { tokenSources } from '../../images/credentials/token-sources.ts';
import { createRegistry, type ImageFacts, parseImage, type Registry, readImage } from '../../images/registry.ts';
import { ensureStubs, removeStubs, stubsAmong } from '../../images/stubs.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { containerImage, isStaying } from '../../kubernetes/workloads.ts';
import { fullImageName } from '../../lib/docker/images.ts';
import { UserError } from '../../lib/errors.ts';
import { Unanswered } from '../../lib/http/fetch.ts';

/** What is known of images before they are promoted. */
export interface ImageLookup {
  /** None: then stand-ins take the images' places. */
  account: Account | undefined;
  /** By image; those that could not be looked at are left out. */
  facts: Map<string, ImageFacts>;
  /** What a person should know, a sentence each. */
  notes: string[];
}

/**
 * Asks the registry for images (service to image), with the account that the platform has. Throws a `UserError` for one
 * that is not there or is built for other processors than the node has. Where the registry doesn't answer, that is noted,
 * and the rolling update is what stands between a missing image and the service. `architectures` are those of the nodes,
 * as in `amd64`; none where there is no node to ask.
 */
export async function lookUpImages(
  context: Context,
  images: ReadonlyMap<string, string>,
  { architectures, endpoints = publicEndpoints }: { architectures: readonly string[]; endpoints?: Endpoints },
): Promise<ImageLookup> {
  const { account, notes } = await accountFor(context, [...images.values()], endpoints);
  const facts = new Map<string, ImageFacts>();
  if (!account) return { account, facts, notes };
  const client = registryAs(account, context, endpoints);
  for (const [service, image] of images) {
    const found = await lookUpImage(client, image, account, service, architectures);
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
    const onlyMissing = verdict.state === 'refused' && verdict.errorId === 'image-not-there';
    return onlyMissing ? { state: 'works', owner: verdict.owner } : verdict;
  });
}

async function lookUpImage(
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
        id: 'image-not-there',
        hint: `Check the SHA, and that CI has pushed it. npm run history -- ${service} lists earlier ones.`,
      });
    if (found.state === 'denied')
      throw new UserError(`${account.username} may not read ${image}, or it does not exist.`, {
        id: 'image-not-there',
        hint: 'Check the SHA, and the token: npm run credentials -- --check',
      });
    assertPlatform(image, found.facts, architectures);
    return found.facts;
  } catch (error) {
    if (error instanceof Unanswered) return `Whether ${image} exists is not known: ${error.message}.`;
    throw error;
  }
}

function assertPlatform(image: string, { platforms }: ImageFacts, architectures: readonly string[]): void {
  if (platforms.length === 0 || architectures.length === 0) return;
  const wanted = architectures.map((one) => `linux/${one}`);
  if (wanted.some((one) => platforms.includes(one))) return;
  throw new UserError(`${image} is built for ${platforms.join(' and ')}, and the node needs ${wanted.join(' or ')}.`, {
    id: 'wrong-processor',
    hint: `Have CI build it for both: docker buildx build --platform linux/amd64,linux/arm64`,
  });
}

/** Why there is no cluster to follow commits, or undefined where there is one. */
export async function noClusterReason(context: Context): Promise<string | undefined> {
  try {
    const status = await cluster.status(context);
    return status.state === 'ready' ? undefined : status.missing;
  } catch (error) {
    // No Docker, or a cluster of that name that belongs to another checkout: none of ours.
    if (error instanceof UserError) return error.message.replace(/\.$/, '');
    throw error;
  }
}

/** The processors that the cluster's nodes have, as in `amd64`. */
export async function architectures(context: Context): Promise<string[]> {
  const nodes = await context.view().list<KubeObject & { status: NodeStatus }>('v1', 'Node');
  return [...new Set(nodes.map(({ status }) => status.nodeInfo.architecture))];
}

interface NodeStatus {
  nodeInfo: { architecture: string };
}

/**
 * Has the node know images that are about to run: without a pull secret, stand-ins under their names; with one, no
 * stand-in that would be taken for the real one. Asks the cluster alone. Returns what was done, in words.
 */
export async function prepareNode(context: Context, images: ReadonlyMap<string, string>): Promise<string[]> {
  if (context.target !== undefined) return [];
  if (!(await canPull(context))) {
    const built = await ensureStubs(context, images);
    return built.map((image) => `${image} is a stand-in, built here because there is no token.`);
  }
  const standIns = await stubsAmong(context, images.values());
  if (standIns.size > 0) await removeStubs(context, standIns);
  return [...standIns].map((image) => `The stand-in for ${image} was taken out of the node.`);
}

/** The images that the ready pods of a service run, those of pods that terminate left out. @returns full names. */
export async function runningImages(context: Context, service: string): Promise<string[]> {
  const deployment = (await serviceDeployments(context)).get(service);
  const pods = deployment ? await context.view().podsOf(deployment) : [];
  const images = pods.filter(isStaying).flatMap(({ spec }) => containerImage(spec, service) ?? []);
  return [...new Set(images.map(fullImageName))];
}
