import type { Context } from '../images/context.ts';
import { UserError } from '../lib/errors.ts';
import type { Cluster, Component } from './component.ts';
import { existingCluster } from './existing-cluster.ts';
import { kindCluster } from './kind.ts';

/** The one that the settings name. */
function chosenCluster({ target }: Pick<Context, 'target'>): Cluster {
  return target === undefined ? kindCluster : existingCluster;
}

/** The component of it, whichever it is. */
export const cluster: Component = {
  name: 'cluster',
  needs: [],
  status: (context) => chosenCluster(context).status(context),
  apply: (context) => chosenCluster(context).apply(context),
};

/** The state that the cluster is in, as `Cluster` has it. */
export function presence(context: Context): Promise<string | undefined> {
  return chosenCluster(context).presence(context);
}

/** Makes sure that the API server can be asked, as `Cluster` has it. */
export function reach(context: Context): Promise<void> {
  return chosenCluster(context).reach(context);
}

/** Throws a `UserError` where there is no cluster with the platform, and a `UsageError` where it belongs to somebody else. */
export async function assertCluster(context: Context): Promise<void> {
  if ((await presence(context)) === undefined) throw noCluster(context);
}

/** The error that says so. */
export function noCluster({ config, target }: Context): UserError {
  return new UserError(
    target === undefined
      ? `There is no cluster ${config.clusterName}.`
      : `The platform is not in the cluster of the context ${target}.`,
    { id: target === undefined ? 'no-cluster' : 'target-absent', hint: 'npm run up' },
  );
}
