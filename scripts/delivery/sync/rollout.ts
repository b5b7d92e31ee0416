import { containerImage, isReady, missingOf, type Pod } from '../../kubernetes/workloads.ts';
import type { ReplicaSet, Sight } from './sight.ts';

/** How far a Deployment is with what was synced last. */
export interface Rollout {
  /** What it still misses, or undefined. */
  missing: string | undefined;
  /** The pods of its newest template that were made since then and are not on their way out. */
  fresh: Pod[];
  /** The ready pods of earlier templates. */
  old: Pod[];
  /** The image of the newest template, and of the one before it. */
  image: string | undefined;
  before: string | undefined;
}

/** A Deployment counts its templates here; one that comes back, as in a revert, gets the next number. */
const counter = 'deployment.kubernetes.io/revision';
const hash = 'pod-template-hash';

/**
 * Reads a roll-out off the objects. `since` is when the sync began that it is of (whole seconds, as Kubernetes writes
 * times); without it no pod counts as new. Undefined where the Application has no Deployment.
 */
export function rolloutOf({ deployment, replicaSets, pods }: Sight, since: string | undefined): Rollout | undefined {
  if (!deployment) return undefined;
  const { name } = deployment.metadata;
  const [current, earlier] = [...replicaSets].sort((a, b) => numberOf(b) - numberOf(a));
  const isCurrent = ({ metadata }: Pod) => metadata.labels?.[hash] === current?.metadata.labels?.[hash];
  const staying = pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  return {
    missing: missingOf(deployment),
    fresh: staying.filter(
      (pod) => since !== undefined && isCurrent(pod) && (pod.metadata.creationTimestamp ?? '') >= since,
    ),
    old: staying.filter((pod) => !isCurrent(pod) && isReady(pod)),
    image: current && containerImage(current.spec.template.spec, name),
    before: earlier && containerImage(earlier.spec.template.spec, name),
  };
}

function numberOf({ metadata }: ReplicaSet): number {
  return Number(metadata.annotations?.[counter] ?? 0);
}
