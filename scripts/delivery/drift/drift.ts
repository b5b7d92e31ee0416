import type { KubeObject, Named } from '../../kubernetes/objects.ts';
import type { Edit } from './by-hand.ts';

/** A change by hand that is there now. */
export interface Change extends Named {
  application: string;
  what: 'edited' | 'deleted';
  /** Who changed which fields; empty where nobody can tell. */
  edits: Edit[];
  /**
   * What comes of it: Argo CD sees that it is not what Git says, has not looked since, or sees no difference from what
   * Git says, so that it stays.
   */
  argocd: 'sees it' | 'has not looked yet' | 'leaves it';
}

/** A change by hand that Argo CD undid. */
export interface Heal {
  application: string;
  /** When Argo CD noticed, as ISO 8601. */
  at: string;
  /** Seconds from there until all was as Git says. */
  seconds: number;
  /** The commit whose state it restored. */
  revision: string;
  /** What was set back or made anew, as far as the cluster still tells. */
  objects: (Named & { what: 'set back' | 'made anew' })[];
}

export interface Drift {
  now: Change[];
  /** Oldest first; Kubernetes keeps events for an hour. */
  healed: Heal[];
  /** The Applications that `npm run drill` has pointed elsewhere, or left so when it was killed, each with the drill's name. */
  drilled: { application: string; drill: string }[];
}

/** An Application, with the parts of its status that tell of drift. */
export interface Watched extends KubeObject {
  spec: { source: { path: string } };
  status?: {
    sync?: { status: string; revision?: string };
    reconciledAt?: string;
    history?: Deployed[];
    resources?: Resource[];
    operationState?: { phase: string; syncResult?: { revision?: string } };
  };
}

/** An entry of an Application's history. */
export interface Deployed {
  revision?: string;
  deployedAt?: string;
  source?: object;
}

export interface Resource extends Named {
  group?: string;
  version: string;
  status?: string;
  requiresPruning?: boolean;
}
