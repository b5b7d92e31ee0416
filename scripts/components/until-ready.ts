import type { Context } from '../context.ts';
import { ApiError, Unreachable } from '../lib/api.ts';
import { UserError } from '../lib/errors.ts';
import type { KubeObject } from '../lib/objects.ts';
import { troubleOf } from '../lib/trouble.ts';
import { WaitTimeout, waitUntil } from '../lib/wait.ts';
import type { Pod, Workload } from '../lib/workloads.ts';
import { workloadKinds } from '../lib/workloads.ts';
import { explain } from './explain.ts';

/** What keeps something from getting ready, and doesn't mend itself. */
export interface Fault {
  /** Tells it from others: another one gets new patience. */
  key: string;
  /** Milliseconds for which it may be seen all the same before nothing is waited for any more. */
  patience: number;
  /** The error that says so; `missing` is what is waited for. */
  explain(missing: string): UserError | Promise<UserError>;
}

interface Wanted {
  /** The workloads among them are watched for pods that will not get ready. */
  objects?: readonly KubeObject[];
  /** What else keeps it from getting ready, as it was seen by the last look. */
  faults?: () => Promise<Fault[]>;
  /** What is still missing, or undefined. */
  look: () => Promise<string | undefined>;
  /** Why it is waited for in vain, if nothing can be told from the pods. */
  hint?: string;
}

/**
 * Waits until nothing is missing. Gives up at the context's deadline, or before it where a fault doesn't mend itself.
 * Throws a `UserError` that names it: of a pod its event, its last words and the next command.
 */
export async function untilReady(context: Context, { objects = [], look, faults, hint }: Wanted): Promise<void> {
  const seen = new Map<string, { since: number; fault: Fault }>();
  const observe = async () => {
    const missing = await tolerantly(look);
    if (missing === undefined) return undefined;
    const now = [...((await faults?.()) ?? []), ...(await podFaults(context, objects))];
    for (const key of seen.keys()) if (!now.some((fault) => fault.key === key)) seen.delete(key);
    for (const fault of now) {
      const since = seen.get(fault.key)?.since ?? Date.now();
      seen.set(fault.key, { since, fault });
      if (Date.now() - since >= fault.patience) throw await fault.explain(missing);
    }
    return missing;
  };
  try {
    await waitUntil(observe, { timeout: context.timeout, signal: context.signal });
  } catch (error) {
    if (!(error instanceof WaitTimeout)) throw error;
    const [known] = seen.values();
    if (known) throw await known.fault.explain(error.missing);
    throw new UserError(`Waited ${context.timeout / 1000} s in vain: ${error.missing}.`, {
      hint: hint ?? 'npm run status shows what there is; npm run up goes on where it stopped.',
    });
  }
}

/** A cluster that is starting refuses and forgets a request now and then: that is waited out, not failed on. */
export async function tolerantly(look: () => Promise<string | undefined>): Promise<string | undefined> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof Unreachable) return error.message;
    if (error instanceof ApiError && (error.status >= 500 || error.status === 429)) return error.message;
    throw error;
  }
}

/** The troubles of the pods behind the objects; the reason is part of the key, so that a new one gets new patience. */
async function podFaults(context: Context, objects: readonly KubeObject[]): Promise<Fault[]> {
  const workloads = objects.filter(({ kind }) => workloadKinds.has(kind) && kind !== 'Job') as Workload[];
  const pods = await Promise.all(workloads.map((workload) => context.view().podsOf(workload))).catch((): Pod[][] => []);
  return pods.flat().flatMap((pod) => {
    const trouble = troubleOf(pod);
    if (!trouble) return [];
    const { patience } = trouble;
    const key = `${pod.metadata.uid} ${patience}`;
    return [{ key, patience, explain: (missing: string) => explain(context, missing, trouble) }];
  });
}
