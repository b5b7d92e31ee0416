import type { Context } from '../context.ts';
import type { KubeObject } from '../lib/objects.ts';
import { startStopwatch } from '../lib/stopwatch.ts';
import { type Trouble, troubleOf } from '../lib/trouble.ts';
import { WaitTimeout, waitUntil } from '../lib/wait.ts';
import type { Pod, Workload } from '../lib/workloads.ts';
import { isReady, workloadKinds } from '../lib/workloads.ts';
import { explain } from './explain.ts';
import { waitedInVain } from './in-vain.ts';
import { tolerant } from './tolerant.ts';

/** Milliseconds that a trouble is counted to last between two looks: it may be over once a machine that slept is awake. */
const longestLook = 2000;

interface Wanted {
  /** The workloads among them are watched for pods that will not get ready. */
  objects: readonly KubeObject[];
  /** Workloads that are watched as well, as the cluster has them at each look. */
  also?: () => Promise<readonly KubeObject[]>;
  /** What is still missing, or undefined. */
  look: () => Promise<string | undefined>;
  /** Why the objects are waited for in vain, if nothing can be told from their pods. */
  hint?: string;
}

/**
 * Waits until nothing is missing. Gives up at the context's deadline, or before it where a pod is in a trouble that
 * doesn't mend itself. Throws a `UserError` that names the pod, its event, its last words and the next command.
 */
export async function untilReady(context: Context, { objects, also, look, hint }: Wanted): Promise<void> {
  const troubles = new Map<string, { lasted: () => number; trouble: Trouble }>();
  const patiently = tolerant(context, look);
  const observe = async () => {
    const missing = await patiently();
    if (missing === undefined) return undefined;
    const now = await troublesOf(context, objects, also);
    for (const key of troubles.keys()) if (!now.has(key)) troubles.delete(key);
    for (const [key, trouble] of now) {
      const known = troubles.get(key) ?? { lasted: startStopwatch(longestLook), trouble };
      troubles.set(key, known);
      if (known.lasted() > trouble.patience) throw await explain(context, missing, trouble);
    }
    return missing;
  };
  try {
    await waitUntil(observe, { timeout: context.timeout, signal: context.signal });
  } catch (error) {
    if (!(error instanceof WaitTimeout)) throw error;
    const [known] = troubles.values();
    if (known) throw await explain(context, error.missing, known.trouble);
    throw await waitedInVain(context, error.missing, hint);
  }
}

/** The troubles of the pods behind the objects; the reason is part of the key, so that a new one gets new patience. */
async function troublesOf(
  context: Context,
  objects: readonly KubeObject[],
  also?: Wanted['also'],
): Promise<Map<string, Trouble>> {
  const found = new Map<string, Trouble>();
  const more = (await also?.().catch(() => [])) ?? [];
  const workloads = [...objects, ...more].filter(({ kind }) => workloadKinds.has(kind) && kind !== 'Job') as Workload[];
  const pods = await Promise.all(workloads.map((workload) => context.view().podsOf(workload))).catch((): Pod[][] => []);
  for (const ofOne of pods) {
    // A pod that was put out is only a record once another one is in its place.
    const replaced = ofOne.some(isReady);
    for (const pod of ofOne) {
      const trouble = troubleOf(pod);
      if (trouble === undefined || (trouble.reason === 'Evicted' && replaced)) continue;
      found.set(`${pod.metadata.uid} ${trouble.patience}`, trouble);
    }
  }
  return found;
}
