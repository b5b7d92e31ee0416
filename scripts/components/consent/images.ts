import type { Context } from '../../images/context.ts';
import { ghcrHost, publicEndpoints } from '../../images/credentials/token-check.ts';
import { createRegistry, parseImage } from '../../images/registry.ts';
import { UsageError } from '../../lib/errors.ts';
import { Unanswered } from '../../lib/http/fetch.ts';
import { imagesAtHead } from '../../repository/committed-values.ts';
import { pullsByItself } from '../pulling.ts';

/**
 * Makes sure that a cluster elsewhere gets the services' images: by a token, by a pull secret that its people put there, or
 * because anybody may pull them. Stand-ins are built on this machine, and can't be had there. Other registries than GHCR
 * may know the nodes themselves. Throws a `UsageError`.
 */
export async function demandImages(context: Context, say: (line: string) => void): Promise<void> {
  if ((await context.credentials.account()) || (await pullsByItself(context))) return;
  const images = [...(await imagesAtHead(context)).values()];
  const client = createRegistry({ origin: publicEndpoints.ghcr, signal: context.signal });
  for (const image of images) {
    const { registry: host, repository, reference } = parseImage(image);
    if (host !== ghcrHost) continue;
    try {
      if ((await client.look(repository, reference)).state === 'found') continue;
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
      say(`! Not looked whether the cluster can pull ${image} without a token: ${error.message}.`);
      continue;
    }
    throw new UsageError(
      `The cluster of the context ${context.kubeContext} can't pull ${image} without a token, and stand-ins can't be put into its nodes.`,
      'npm run credentials saves a token that reads the images; or put a pull secret ghcr-cred into the namespace default of that cluster.',
    );
  }
}
