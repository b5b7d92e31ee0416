import type { KubeEvent } from '../../kubernetes/explain/explain.ts';
import type { Pod } from '../../kubernetes/workloads.ts';
import { lastProbe } from './faults.ts';

/** A program that is still starting refuses a probe or two. */
const manyFailures = 5;

/**
 * Makes what tells, once for each pod and reason, that a probe keeps failing: the kubelet gives a start a minute before it
 * gives up, and whoever waits may know the reason by then.
 */
export function createWarnings(note: (text: string) => void): (pod: Pod, events: readonly KubeEvent[]) => void {
  const told = new Set<string>();
  return ({ metadata }, events) => {
    const probe = lastProbe(events.filter(({ involvedObject }) => involvedObject?.uid === metadata.uid));
    if (!probe || (probe.count ?? 1) < manyFailures) return;
    const text = `! ${metadata.name}: ${probe.message}`;
    if (!told.has(text)) note(text);
    told.add(text);
  };
}
