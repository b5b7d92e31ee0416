import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from '../../images/context.ts';
import { ApiError, isPassing, Unreachable } from '../../kubernetes/api/api.ts';
import { isNodeGone } from '../../kubernetes/explain/runtime.ts';
import { slicesPath } from '../../kubernetes/port-forward.ts';
import type { EndpointSlice } from '../../kubernetes/types.ts';
import { Interrupted, UserError } from '../../lib/errors.ts';

/** Who is told what is seen. */
export interface EndpointWatcher {
  /** What is behind all Services now. `wasLost`: the API server did not answer for a while, so no connection is sure to be alive. */
  onSlices(slices: EndpointSlice[], wasLost: boolean): void;
  /** Told once each time that the API server can't be asked any more. */
  onLost(why: string): void;
}

/** Milliseconds after which the API server ends a watch, so that one which it has forgotten is noticed. */
const watchMs = 30_000;
/** Milliseconds between two tries to reach the API server, and between two looks whether its node is there at all. */
const intervalMs = { try: 200, look: 1000 };

interface WatchEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  object: EndpointSlice;
}

/**
 * Tells what is behind the Services, at first and whenever it changes, for as long as the cluster is there. Waits for an
 * API server that restarts and for a node that was stopped. Throws a `UserError` once the cluster is gone, or `Interrupted`.
 */
export async function watchEndpoints(context: Context, follower: EndpointWatcher): Promise<never> {
  const kubeconfig = await readFile(context.kubeconfig, 'utf8').catch(() => '');
  let lostAt: number | undefined;
  let looked = 0;
  for (;;) {
    if (context.signal.aborted) throw new Interrupted();
    try {
      await watchOnce(context, (slices) => {
        follower.onSlices(slices, lostAt !== undefined);
        lostAt = undefined;
      });
    } catch (error) {
      if (!(error instanceof Unreachable) && !(error instanceof ApiError)) throw error;
      if (error instanceof ApiError && error.status === 403 && !isPassing(error)) throw error;
      if (lostAt === undefined) follower.onLost(error.message);
      lostAt ??= performance.now();
      if (performance.now() - looked > intervalMs.look) {
        await assertClusterExists(context, kubeconfig);
        looked = performance.now();
      }
      await sleep(intervalMs.try, undefined, { signal: context.signal }).catch(() => {});
    }
  }
}

/** Lists the slices and then hears of changes, until the API server ends that. */
async function watchOnce(context: Context, tell: (slices: EndpointSlice[]) => void): Promise<void> {
  const api = context.api();
  const { metadata, items } = await api.json<{ metadata: { resourceVersion: string }; items: EndpointSlice[] | null }>(
    slicesPath,
  );
  const known = new Map((items ?? []).map((slice) => [keyOf(slice), slice]));
  tell([...known.values()]);
  const query = `watch=1&resourceVersion=${metadata.resourceVersion}&timeoutSeconds=${watchMs / 1000}`;
  await api.lines(`${slicesPath}?${query}`, watchMs + 5000, (line) => {
    const { type, object } = JSON.parse(line) as WatchEvent;
    // What has been seen is too old to go on from: the server ends the watch, and everything is listed again.
    if (type === 'ERROR' || type === 'BOOKMARK') return;
    if (type === 'DELETED') known.delete(keyOf(object));
    else known.set(keyOf(object), object);
    tell([...known.values()]);
  });
}

function keyOf({ metadata }: EndpointSlice): string {
  return `${metadata.namespace}/${metadata.name}`;
}

/** A cluster that was recreated under the same name has another kubeconfig. */
async function assertClusterExists(context: Context, kubeconfig: string): Promise<void> {
  const gone = await isNodeGone(context);
  const now = await readFile(context.kubeconfig, 'utf8').catch(() => undefined);
  if (!gone && (now === undefined || now === kubeconfig)) return;
  throw new UserError(`The cluster ${context.config.clusterName} was deleted, so nothing is forwarded any more.`, {
    hint: 'npm run up creates it again.',
  });
}
