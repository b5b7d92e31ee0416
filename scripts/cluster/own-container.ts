import { dirname } from 'node:path';
import type { Context } from '../images/context.ts';
import { nodeContainer } from '../kubernetes/explain/runtime.ts';
import type { Container } from '../lib/docker/docker.ts';
import { UsageError, UserError } from '../lib/errors.ts';

/** Where the node sees the checkout's Git folder. That mount is also how a cluster is known as this checkout's. */
export const gitMount = '/platform-ops/git';

/** The same, but throws a `UsageError` where a cluster of that name belongs to somebody else. */
export async function ownContainer(context: Context): Promise<Container | undefined> {
  const container = await nodeContainer(context);
  if (container) await demandOwn(context, container);
  return container;
}

/** Throws a `UsageError` where the container belongs to somebody else's cluster. */
export async function demandOwn(context: Context, container: Container): Promise<void> {
  const mounted = container.binds.get(gitMount);
  const { commonDir } = await context.checkout();
  if (mounted === commonDir) return;
  const owner =
    mounted === undefined ? 'was not made by platform-ops' : `was made from another checkout (${dirname(mounted)})`;
  throw new UsageError(
    `The cluster ${context.config.clusterName} ${owner}.`,
    'Choose another CLUSTER_NAME in .env, with its own HTTP_PORT and HTTPS_PORT.',
  );
}

/** Throws a `UserError` where there is no cluster, and a `UsageError` where it belongs to somebody else. */
export async function demandCluster(context: Context): Promise<void> {
  if (await ownContainer(context)) return;
  throw new UserError(`There is no cluster ${context.config.clusterName}.`, { hint: 'npm run up' });
}

/** Throws a `UsageError` where the cluster publishes other ports than the settings ask for. */
export function checkPorts({ config }: Context, { ports }: Container): void {
  const [http, https] = [ports.get('80/tcp'), ports.get('443/tcp')];
  if (http === config.ports.http && https === config.ports.https) return;
  throw new UsageError(
    `The cluster ${config.clusterName} publishes the ports ${http} and ${https}, the settings say ${config.ports.http} and ${config.ports.https}.`,
    'A cluster keeps the ports that it was created with: set HTTP_PORT and HTTPS_PORT back, or npm run down && npm run up.',
  );
}
