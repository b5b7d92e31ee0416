/** What became of a commit in one Application. */
export interface Receipt {
  application: string;
  /** The commit that was asked for, and its subject line. */
  commit: string;
  subject: string;
  /** The commit that Argo CD rendered: another one than `commit` where that was superseded meanwhile. */
  revision: string;
  /** Whether `revision` has `commit` in its history, or is it; undefined where this clone lacks one of the two. */
  contained: boolean | undefined;
  /** Whether anything was synced for it. All that follows but `seconds` is empty otherwise. */
  changed: boolean;
  /** What was synced, as in 'Deployment api-node', with '(pruned)' behind what went. */
  objects: string[];
  /** The files of the chart that differ from what was synced before, counted from the top folder. */
  files: string[];
  /** Names of the pods that were made for it, and are ready. None where nothing had to start anew. */
  pods: string[];
  /** What these pods run. */
  image?: Image;
  /** What the ingress answered; none for a service without a route, or without new pods. */
  answer?: Answer;
  /** Seconds from the start of the command, or from the commit, to each stage; only to those that there are. */
  seconds: Partial<Record<Stage, number>>;
}

/** Argo CD compared the commit; it applied the objects; a new pod is ready; it answers; Prometheus sees all new ones. */
export const stages = ['seen', 'synced', 'ready', 'answering', 'scraped'] as const;
export type Stage = (typeof stages)[number];

export interface Image {
  name: string;
  /** What the pods ran before, where that was another one. */
  before?: string;
  /** The image ID, as the node tells it. */
  id: string;
  standIn: boolean;
}

export interface Answer {
  url: string;
  /** The version that the answer tells, if any. */
  version?: string;
  /** How it is known to be of the new pods: by its version, or because only new pods were endpoints then. */
  by: 'version' | 'endpoints';
  /** How many old pods were still there then, which answer for some seconds on connections that are kept open. */
  draining?: number;
}
