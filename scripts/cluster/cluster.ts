import type { Context } from '../images/context.ts';
import { UserError } from '../lib/errors.ts';
import type { Component } from './component.ts';
import { existingCluster } from './existing-cluster.ts';
import { kindCluster } from './kind.ts';

/** What everything else is applied to: a cluster of kind that `up` makes, or one that somebody else runs. */
export interface Cluster extends Pick<Component, 'status' | 'apply'> {
  /**
   * In which state it is, in Docker's words, or undefined where there is none that this checkout brought the platform to.
   * Throws a `UsageError` where it belongs to somebody else.
   */
  presence(context: Context): Promise<string | undefined>;
  /** Makes sure that the API server of one that runs can be asked. Throws a `UserError` where it does not answer. */
  reach(context: Context): Promise<void>;
}

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
