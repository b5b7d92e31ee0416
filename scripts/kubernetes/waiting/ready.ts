import type { UserError } from '../../lib/errors.ts';
import { startStopwatch, WaitTimeout, waitUntil } from '../../lib/retry.ts';
import { createWaitTracer } from '../../lib/trace.ts';
import { podsOfWorkloads } from '../api/view.ts';
import type { ClusterContext } from '../context.ts';
import { explainPodProblem } from '../explain/explain.ts';
import { isPullFailure, podProblemOf } from '../explain/pod-problem.ts';
import type { KubeObject } from '../objects.ts';
import type { Pod } from '../types.ts';
import { isReady } from '../workloads.ts';
import { timeoutError, toleratingOutages } from './api-server.ts';

/** Milliseconds that a trouble is counted to last between two looks: it may be over once a machine that slept is awake. */
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
  /** The workloads among them are watched for pods that will not get ready. */
  objects?: readonly KubeObject[];
  /** Workloads that are watched as well, as the cluster has them at each look. */
  also?: () => Promise<readonly KubeObject[]>;
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
  const { objects = [], also, look, faults, bringImages, hint } = wanted;
  const seen = new Map<string, { lasted: () => number; fault: Blocker }>();
  const patiently = toleratingOutages(context, look);
  const keepBook = createWaitTracer(context.trace);
  const observe = async () => {
    const missing = await patiently();
    keepBook(missing);
    if (missing === undefined) return undefined;
    const more = (await also?.().catch(() => [])) ?? [];
    const now = [...((await faults?.()) ?? []), ...(await podBlockers(context, [...objects, ...more], bringImages))];
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
    await waitUntil(observe, { timeout: context.timeout, signal: context.signal });
  } catch (error) {
    if (!(error instanceof WaitTimeout)) throw error;
    const [known] = seen.values();
    if (known) throw await known.fault.explain(error.missing);
    throw await timeoutError(context, error.missing, hint);
  } finally {
    keepBook(undefined);
  }
}

/** The troubles of the pods behind the objects; the reason is part of the key, so that a new one gets new patience. */
async function podBlockers(
  context: ClusterContext,
  objects: readonly KubeObject[],
  bringImages: ReadyOptions['bringImages'],
): Promise<Blocker[]> {
  const pods = await podsOfWorkloads(context, objects).catch((): Pod[][] => []);
  return pods.flatMap((ofOne) => {
    // A pod that was put out is only a record once another one is in its place.
    const replaced = ofOne.some(isReady);
    return ofOne.flatMap((pod) => {
      const trouble = podProblemOf(pod);
      if (trouble === undefined || (trouble.reason === 'Evicted' && replaced)) return [];
      const { patience } = trouble;
      const key = `${pod.metadata.uid} ${patience}`;
      const mend = isPullFailure(trouble.reason) ? bringImages : undefined;
      return [{ key, patience, mend, explain: (missing: string) => explainPodProblem(context, missing, trouble) }];
    });
  });
}
