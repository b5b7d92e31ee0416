import type { Context } from '../images/context.ts';
import { jsonIfThere } from '../kubernetes/api/api.ts';
import { tolerant } from '../kubernetes/api/tolerant.ts';
import { nodeContainer } from '../kubernetes/explain/runtime.ts';
import { type KubeObject, nameOf } from '../kubernetes/objects.ts';
import { waitedInVain } from '../kubernetes/waiting/timeout.ts';
import type { Pod } from '../kubernetes/workloads.ts';
import { WaitTimeout, waitUntil } from '../lib/wait.ts';

/** Milliseconds; usually the kubelet reports some seconds after it was started. */
const patience = 120_000;

interface Lease extends KubeObject {
  spec: { renewTime?: string };
}

/**
 * Waits until the kubelet has renewed its lease and told of each pod since the node was started: before that, what the API
 * server tells of pods is what was true when the node was stopped, and everything seems to run. Throws a `UserError`.
 */
export async function untilNodeReports(patient: Context): Promise<void> {
  const context = { ...patient, timeout: Math.min(patient.timeout, patience) };
  const { node, timeout, signal } = context;
  const startedAt = (await nodeContainer(context))?.startedAt ?? 0;
  const look = async () => {
    const renewed = await renewedAt(context);
    if (renewed === undefined || renewed < startedAt)
      return `the kubelet of ${node} has not reported since the node was started`;
    const pod = (await context.api().list<Pod>('v1', 'Pod')).find((one) => ranBefore(one, startedAt));
    return pod && `the kubelet of ${node} has not reported on ${nameOf(pod)} since the node was started`;
  };
  try {
    await waitUntil(tolerant(context, look), { timeout, signal });
  } catch (error) {
    if (!(error instanceof WaitTimeout)) throw error;
    const hint = `docker exec ${node} journalctl --unit kubelet tells why; npm run down && npm run up starts afresh.`;
    throw await waitedInVain(context, error.missing, hint);
  }
}

/** Whether a container of the pod is told to have run since before then: none outlives its node. Kubernetes tells whole seconds. */
function ranBefore({ metadata, status }: Pod, startedAt: number): boolean {
  const { containerStatuses = [] } = status;
  const since = containerStatuses.map(({ state }) => Date.parse(state.running?.startedAt ?? ''));
  return metadata.deletionTimestamp === undefined && since.some((start) => start < startedAt - 1000);
}

async function renewedAt(context: Context): Promise<number | undefined> {
  const path = `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${context.node}`;
  const renewTime = (await jsonIfThere<Lease>(context.api(), path))?.spec.renewTime;
  return renewTime === undefined ? undefined : Date.parse(renewTime);
}
