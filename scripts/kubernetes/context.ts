import type { Config } from '../config/config.ts';
import type { Exec } from '../lib/exec.ts';
import type { Checkout } from '../lib/git/checkout.ts';
import type { RequestLimits } from '../lib/http/download.ts';
import type { Trace } from '../lib/trace.ts';
import type { ApiServer } from './api/api.ts';
import type { View } from './api/view.ts';
import type { Kubectl } from './kubectl.ts';
import type { Toolbox } from './tools/toolbox.ts';

/** What is needed to work with a cluster and with the checkout. Nothing is looked up before it is asked for. */
export interface ClusterContext {
  config: Config;
  exec: Exec;
  signal: AbortSignal;
  toolbox: Toolbox;
  /** Milliseconds that a single component may take. */
  timeout: number;
  /** How long a download may take, and who is told that it is tried again. */
  downloads: RequestLimits;
  /** The context of the person's own kubeconfig that names the cluster; without it, the cluster is one of kind, and ours. */
  target?: string;
  /** The container that is the only node of a cluster of kind. */
  node: string;
  /** The cluster's private kubeconfig. */
  kubeconfig: string;
  kubeContext: string;
  /** The checkout as it was when it was asked for first, or as it is now. */
  checkout(fresh?: 'fresh'): Promise<Checkout>;
  api(): ApiServer;
  view(): View;
  kubectl(): Promise<Kubectl>;
  /** Where book is kept of what takes time, if a timeline is wanted. */
  trace?: Trace;
  /** To be called when the kubeconfig has changed. */
  reconnect(): void;
}
