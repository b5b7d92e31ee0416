import { setTimeout as sleep } from 'node:timers/promises';
import { isTracked } from '../../cluster/ownership.ts';
import { inCluster } from '../../components/removal.ts';
import type { Context } from '../../images/context.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { Interrupted } from '../../lib/errors.ts';
import { shortSha } from '../../lib/git/checkout.ts';
import { commitsHindrance, release, restoreFromGit, revert } from './commits.ts';
import { type Drill, type DrillService, drillServices } from './drill.ts';
import { scalerOf, serviceObject, waitForState } from './service-state.ts';

/** Milliseconds for which callers may go on with the address of a Service that was deleted: CoreDNS' `cache 30`. */
const addressKeptMs = 30_000;

/** By hand, as you would: scales one service, deletes a Service of another. Argo CD reverts both. */
export const selfHealDrill: Drill = {
  name: 'self-heal',
  promise: 'What is changed or deleted by hand is set back',

  async run(context) {
    const { middle, back } = await drillServices(context);
    const scaled = await scale(context, middle);
    const recreated = await deleteService(context, back);
    // The next drill would lose requests because of this one.
    if (back === middle) await sleep(addressKeptMs, undefined, { signal: context.signal }).catch(() => {});
    if (context.signal.aborted) throw new Interrupted();
    return {
      held: true,
      seconds: Math.max(scaled.seconds, recreated),
      evidence: `${scaled.what} set back after ${scaled.seconds.toFixed(1)} s; Service ${back.name}, deleted, recreated after ${recreated.toFixed(1)} s`,
    };
  },

  undo: restoreFromGit,
};

/** Under an autoscaler the number of pods is the autoscaler's, and what Git says is how far it may scale. */
async function scale(context: Context, service: DrillService): Promise<{ what: string; seconds: number }> {
  const { kind, name, field, most } = await scalerOf(context, service);
  const patch = JSON.stringify({ spec: { [field]: most + 1 } });
  await changeByHand(context, service, ['patch', kind, name, '--type=merge', '--patch', patch]);
  const seconds = await waitForState(context, async () => {
    const now = (await scalerOf(context, service)).most;
    return now === most ? undefined : `${service.name} has ${field} ${now}, not ${most} as Git says`;
  });
  return { what: `${field} ${most + 1} of ${service.name}`, seconds };
}

async function deleteService(context: Context, service: DrillService): Promise<number> {
  const find = () => serviceObject(context, 'v1', 'Service', service);
  const before = (await find())?.metadata;
  await changeByHand(context, service, ['delete', 'service', before?.name ?? service.name, '--wait=false']);
  return waitForState(context, async () => {
    const { uid, deletionTimestamp } = (await find())?.metadata ?? {};
    const isBack = uid !== undefined && uid !== before?.uid && !deletionTimestamp;
    return isBack ? undefined : `Service ${service.name} was not recreated`;
  });
}

async function changeByHand(context: Context, { namespace }: DrillService, args: readonly string[]): Promise<void> {
  const kubectl = await context.kubectl();
  await kubectl.run([...args, '--namespace', namespace]);
}

/** The ConfigMap of the drill, and the name of the service whose chart has it for a while. */
async function prunedObject(context: Context): Promise<{ service: string; configMap: KubeObject }> {
  const { name, namespace } = (await drillServices(context)).back;
  const metadata = { name: `${name}-drill`, namespace };
  return { service: name, configMap: { apiVersion: 'v1', kind: 'ConfigMap', metadata } };
}

/** A commit adds a ConfigMap to a chart, the next one takes it out again. */
export const pruneDrill: Drill = {
  name: 'prune',
  promise: 'What leaves Git leaves the cluster',

  async hindrance(context) {
    const none = await commitsHindrance(context);
    if (none !== undefined) return none;
    const { configMap } = await prunedObject(context);
    const isTaken = (await inCluster(context, [configMap])).length > 0 && !(await isDeployed(context));
    return isTaken ? `the cluster has a ConfigMap ${configMap.metadata.name} that no drill created` : undefined;
  },

  async run(context) {
    const { service, configMap } = await prunedObject(context);
    const { name } = configMap.metadata;
    const pruned = { drill: 'prune', service };
    const text = ['apiVersion: v1', 'kind: ConfigMap', 'metadata:', `  name: ${name}`, ''].join('\n');
    const change = { ...pruned, message: `Add ConfigMap ${name}`, file: 'templates/drill.yaml', edit: () => text };
    const added = await release(context, change);
    await waitForState(context, async () => ((await isDeployed(context)) ? undefined : `ConfigMap ${name} is missing`));
    const removed = await revert(context, pruned, added.commit);
    const seconds = await waitForPrune(context, removed.since);
    const [by, without] = [added.commit, removed.commit].map(shortSha);
    return { held: true, seconds, evidence: `ConfigMap ${name}, deployed by ${by}, is gone with ${without}` };
  },

  async undo(context) {
    await restoreFromGit(context);
    await waitForPrune(context);
  },
};

/** Whether the cluster has the ConfigMap, of the drill's own commit. */
async function isDeployed(context: Context): Promise<boolean> {
  const { service, configMap } = await prunedObject(context);
  return (await inCluster(context, [configMap])).some((object) => isTracked(object, new Set([service])));
}

async function waitForPrune(context: Context, started?: number): Promise<number> {
  const { name } = (await prunedObject(context)).configMap.metadata;
  const look = async () => ((await isDeployed(context)) ? `ConfigMap ${name} is still there` : undefined);
  return waitForState(context, look, started);
}
