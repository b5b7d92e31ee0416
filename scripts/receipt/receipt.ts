/** What became of a commit in one Application. */
export interface Receipt {
  application: string;
  /** The commit that was followed, and its subject line. */
  commit: string;
  subject: string;
  /** The commit that Argo CD rendered: a newer one than `commit` where that was superseded meanwhile, and contains it. */
  revision: string;
  /** Whether the commit changed anything in the cluster for this Application. */
  changed: boolean;
  /** What was synced, an object each, as in 'Deployment api-node (configured)', and the chart's files that the commits touched. */
  objects: string[];
  files: string[];
  /** The image that runs; none where the Application has no pods. */
  image?: Image;
  /** How many new pods are ready, and the first of them. */
  pods: string[];
  /** What the ingress answered; none for a service without a route. */
  answer?: Answer;
  /** Seconds from the start of the command, or from the commit, to each stage; in this order. Empty for what didn't change. */
  seconds: Partial<Record<Stage, number>>;
}

/** Argo CD compared the commit; its objects were applied; new pods are ready; the ingress answers with them; Prometheus sees them. */
export const stages = ['seen', 'synced', 'ready', 'answering', 'scraped'] as const;
export type Stage = (typeof stages)[number];

export interface Image {
  name: string;
  /** The name that was there before, where it is another. */
  before?: string;
  /** The image ID that the pod runs, as its node tells it. */
  id: string;
  standIn: boolean;
}

export interface Answer {
  url: string;
  /** The version in the answer, where the program tells one. */
  version?: string;
}
