import type { UserError } from '../../lib/errors.ts';
import { startStopwatch, waitUntil } from '../../lib/retry.ts';
import { createWaitTracer } from '../../lib/trace.ts';
import { podsOfWorkloads } from '../api/view.ts';
import type { ClusterContext } from '../context.ts';
import { explainPodProblem } from '../explain/explain.ts';
import { isPullFailure, podProblemOf } from '../explain/pod-problem.ts';
import type { KubeObject } from '../objects.ts';
import type { Pod } from '../types.ts';
import { isReady } from '../workloads.ts';
import { timeoutError, toleratingOutages } from './api-server.ts';

/** Milliseconds that a blocker is counted to last between two looks: it may be over once a machine that slept is awake. */
const maxLookMs = 2000;

/** What keeps something from getting ready, and doesn't mend itself. */
export interface Blocker {
  /** Tells it from others: another one gets new patience. */
  key: string;
  /** Milliseconds for which it may be seen all the same before nothing is waited for any more. */
  patience: number;
  /** Tried at each look, while it lasts: what may end it. */
  mend?: (() => Promise<unknown>) | undefined;
  /** The error that says so; `missing` is what is waited for. */
  explain(missing: string): UserError | Promise<UserError>;
}

interface ReadyOptions {
  /** The workloads among these, at each look, are watched for pods that will not get ready. */
  objects?: () => readonly KubeObject[] | Promise<readonly KubeObject[]>;
  /** Brings the images that their pods can't pull, at each look while there is such a pod. */
  bringImages?: () => Promise<unknown>;
  /** What else keeps it from getting ready, as it was seen by the last look. */
  faults?: () => Promise<Blocker[]>;
  /** What is still missing, or undefined. */
  look: () => Promise<string | undefined>;
  /** Why it is not ready in time, if nothing can be told from the pods. */
  hint?: string;
}

/**
 * Waits until nothing is missing. Gives up at the context's deadline, or before it where a fault doesn't mend itself.
 * Throws a `UserError` that names it: of a pod its event, its last words and the next command.
 */
export async function waitForReady(context: ClusterContext, wanted: ReadyOptions): Promise<void> {
  const { look, faults, hint } = wanted;
  const seen = new Map<string, { lasted: () => number; fault: Blocker }>();
  const patiently = toleratingOutages(context, look);
  const keepBook = createWaitTracer(context.trace);
  const observe = async () => {
    const missing = await patiently();
    keepBook(missing);
    if (missing === undefined) return undefined;
    const now = [...((await faults?.()) ?? []), ...(await podBlockers(context, wanted))];
    for (const key of seen.keys()) if (!now.some((fault) => fault.key === key)) seen.delete(key);
    for (const fault of now) {
      const lasted = seen.get(fault.key)?.lasted ?? startStopwatch(maxLookMs);
      seen.set(fault.key, { lasted, fault });
      if (lasted() >= fault.patience) throw await fault.explain(missing);
      // Where that fails, the next look tries again.
      await fault.mend?.().catch(() => {});
    }
    return missing;
  };
  try {
    const missing = await waitUntil(observe, context);
    if (missing === undefined) return;
    const [known] = seen.values();
    throw await (known ? known.fault.explain(missing) : timeoutError(context, missing, hint));
  } finally {
    keepBook(undefined);
  }
}

/**
 * What keeps the pods of the watched workloads from getting ready; the reason is part of the key, so that a new one counts
 * from the start. A cluster that can't be asked tells of none.
 */
async function podBlockers(context: ClusterContext, { objects, bringImages }: ReadyOptions): Promise<Blocker[]> {
  const ask = async () => podsOfWorkloads(context, (await objects?.()) ?? []);
  const pods = await ask().catch((): Pod[][] => []);
  return pods.flatMap((ofOne) => {
    // An evicted pod is only a record once another one has taken its place.
    const replaced = ofOne.some(isReady);
    return ofOne.flatMap((pod) => {
      const problem = podProblemOf(pod);
      if (problem === undefined || (problem.reason === 'Evicted' && replaced)) return [];
      const { patience, reason } = problem;
      const key = `${pod.metadata.uid} ${patience}`;
      const mend = isPullFailure(reason) ? bringImages : undefined;
      return [{ key, patience, mend, explain: (missing: string) => explainPodProblem(context, missing, problem) }];
    });
  });
}
