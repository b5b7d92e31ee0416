import { collectionPath, type KubeObject, nameOf } from '../objects.ts';
import type { Pod, Workload } from '../types.ts';
import { missingOf, selects, workloadKinds } from '../workloads.ts';
import type { ApiServer } from './api.ts';

/**
 * What the cluster looks like at about this moment. Components ask it at the same time while they wait, and each list
 * is asked for once for all of them.
 */
export type View = ReturnType<typeof createView>;

/** Milliseconds that a list may be old. Below the interval of all waiting, so that no look sees what it saw before. */
const freshnessMs = 300;

/** Looks at the cluster through an API server. `freshness`: milliseconds that a list may be old. */
export function createView(api: Pick<ApiServer, 'list' | 'listMetadata'>, freshness = freshnessMs) {
  const seen = new Map<string, { at: number; items: Promise<KubeObject[]> }>();
  const cached = (key: string, ask: () => Promise<KubeObject[]>) => {
    const known = seen.get(key);
    if (known && Date.now() - known.at < freshness) return known.items;
    const items = ask();
    seen.set(key, { at: Date.now(), items });
    return items;
  };
  /** Objects of a kind, as they are now or were a moment ago. */
  const list = async <T extends KubeObject>(apiVersion: string, kind: string) =>
    (await cached(collectionPath(apiVersion, kind), () => api.list(apiVersion, kind))) as T[];
  /** The same, without what is in them but for workloads, which are asked for as a whole all the time. */
  const listHeads = (apiVersion: string, kind: string): Promise<KubeObject[]> =>
    workloadKinds.has(kind)
      ? list(apiVersion, kind)
      : cached(`${collectionPath(apiVersion, kind)} metadata`, () => api.listMetadata(apiVersion, kind));

  async function missingObject(object: KubeObject): Promise<string | undefined> {
    const { apiVersion, kind, metadata } = object;
    const found = (await listHeads(apiVersion, kind)).find(
      (one) => one.metadata.name === metadata.name && one.metadata.namespace === metadata.namespace,
    );
    if (!found) return `${nameOf(object)} is missing`;
    if (found.metadata.deletionTimestamp) return `${nameOf(object)} is being deleted`;
    const missing = workloadKinds.has(kind) ? missingOf(found) : undefined;
    return missing === undefined ? undefined : `${nameOf(object)}: ${missing}`;
  }
  return {
    list,
    listHeads,
    /** The first of the given objects that is not there, is going away, or is not rolled out: as a sentence. */
    missing: async (objects: readonly KubeObject[]) =>
      (await Promise.all(objects.map(missingObject))).find((finding) => finding !== undefined),
    /** The pods that a workload's selector selects. */
    podsOf: async ({ metadata: { namespace }, spec }: Workload) =>
      (await list<Pod>('v1', 'Pod')).filter(
        ({ metadata }) => metadata.namespace === namespace && selects(spec.selector.matchLabels, metadata),
      ),
    /** Forget what was seen: the next look is a new one. */
    forget: () => seen.clear(),
  };
}

/** The pods of each workload among the objects that is to stay, so of no Job. Throws what the API server answers. */
export function podsOfWorkloads(context: { view(): View }, objects: readonly KubeObject[]): Promise<Pod[][]> {
  const workloads = objects.filter(({ kind }) => workloadKinds.has(kind) && kind !== 'Job') as Workload[];
  return Promise.all(workloads.map((workload) => context.view().podsOf(workload)));
}
