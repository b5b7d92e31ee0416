import type { Context } from '../images/context.ts';
import type { KubeObject } from '../kubernetes/objects.ts';

/** What a look at the cluster says about a component. */
export type Status =
  | { state: 'ready'; detail?: string | undefined }
  | { state: 'absent'; missing: string }
  | { state: 'unready'; missing: string; hint?: string | undefined };

export interface ApplyResult {
  /** The objects, containers or images that were not as they should be, by name; empty where nothing had to be done. */
  changed: string[];
  /** A few words behind the component's name. */
  detail?: string | undefined;
  /** What a person should know besides, a sentence each. */
  notes?: string[];
}

/** A part of the platform. The cluster is the only state there is: each call looks again. */
export interface Component {
  name: string;
  /** What it is for, where the settings choose one of several: `needs` may name this in place of the component. */
  role?: string;
  /** The names or roles of the components that must be ready before this one is applied. */
  needs: readonly string[];
  /**
   * Fetches what takes long, while the cluster boots, or ahead of a journey. What goes wrong here goes wrong again in
   * `apply`, and is told there.
   */
  prefetch?(context: Context): Promise<unknown>;
  /** Makes what takes long and needs neither the network nor the cluster, while that boots. */
  prepare?(context: Context): Promise<unknown>;
  /** Reads of files what `apply` needs, while something else is waited for. What goes wrong here goes wrong again in `apply`. */
  read?(context: Context): Promise<readonly KubeObject[]>;
  /** Looks, and changes nothing. Throws only what makes looking impossible. */
  status(context: Context): Promise<Status>;
  /** Brings it to ready, from whatever state it is in. Throws a `UserError` with the reason where it doesn't get there. */
  apply(context: Context): Promise<ApplyResult>;
  /** What `apply` would apply now under our field manager. What else it makes, as Secrets and images, is not among it. */
  objects?(context: Context): Promise<KubeObject[]>;
  /** Tells whether an object of the cluster is one that `apply` brings, or one that its programs make there. */
  owns?(context: Context): Promise<(object: KubeObject) => boolean>;
  /**
   * Removes these objects of its own, where that takes more than deleting them. Returns what it did.
   * @throws UserError for what stays.
   */
  remove?(context: Context, objects: readonly KubeObject[]): Promise<string[]>;
}

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
