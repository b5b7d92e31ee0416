import type { Context } from '../context.ts';
import { ApiError } from '../lib/api.ts';
import type { KubeObject } from '../lib/objects.ts';
import { WaitTimeout, waitUntil } from '../lib/wait.ts';
import { nodeContainer } from './cluster-ownership.ts';
import { waitedInVain } from './in-vain.ts';
import { tolerant } from './tolerant.ts';

/** Milliseconds; usually the kubelet reports some seconds after it was started. */
const patience = 120_000;

interface Lease extends KubeObject {
  spec: { renewTime?: string };
}

/**
 * Waits until the kubelet has renewed its lease since the node was started: before that, what the API server tells of pods
 * is what was true when the node was stopped, and everything seems to run. Throws a `UserError`.
 */
export async function untilNodeReports(patient: Context): Promise<void> {
  const context = { ...patient, timeout: Math.min(patient.timeout, patience) };
  const { node, timeout, signal } = context;
  const startedAt = (await nodeContainer(context))?.startedAt ?? 0;
  const look = async () => {
    const renewed = await renewedAt(context);
    return renewed !== undefined && renewed >= startedAt
      ? undefined
      : `the kubelet of ${node} has not reported since the node was started`;
  };
  try {
    await waitUntil(tolerant(context, look), { timeout, signal });
  } catch (error) {
    if (!(error instanceof WaitTimeout)) throw error;
    const hint = `docker exec ${node} journalctl --unit kubelet tells why; npm run down && npm run up starts afresh.`;
    throw await waitedInVain(context, error.missing, hint);
  }
}

async function renewedAt(context: Context): Promise<number | undefined> {
  const path = `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${context.node}`;
  try {
    const { spec } = await context.api().json<Lease>(path);
    return spec.renewTime === undefined ? undefined : Date.parse(spec.renewTime);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}
