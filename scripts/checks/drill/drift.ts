import { isTracked } from '../../cluster/ownership.ts';
import { inCluster } from '../../components/removal.ts';
import type { Context } from '../../images/context.ts';
import { shortSha } from '../../lib/git/checkout.ts';
import { servicesNamespace } from '../../repository/applications.ts';
import { commitsHindrance, release, restoreFromGit, revert } from './commits.ts';
import { type Drill, drillServices } from './drill.ts';
import { scalerOf, serviceObject, waitForState } from './service-state.ts';

/** By hand, as you would: scales one service, deletes a Service of another. Argo CD reverts both. */
export const selfHealDrill: Drill = {
  name: 'self-heal',
  promise: 'What is changed or deleted by hand is set back',

  async run(context) {
    const scaled = await scale(context, drillServices.middle);
    const recreated = await deleteService(context, drillServices.back);
    return {
      held: true,
      seconds: Math.max(scaled.seconds, recreated),
      evidence: `${scaled.what} set back after ${scaled.seconds.toFixed(1)} s; Service ${drillServices.back}, deleted, recreated after ${recreated.toFixed(1)} s`,
    };
  },

  undo: restoreFromGit,
};

/** Under an autoscaler the number of pods is the autoscaler's, and what Git says is how far it may scale. */
async function scale(context: Context, service: string): Promise<{ what: string; seconds: number }> {
  const { kind, name, field, most } = await scalerOf(context, service);
  const patch = JSON.stringify({ spec: { [field]: most + 1 } });
  await changeByHand(context, ['patch', kind, name, '--type=merge', '--patch', patch]);
  const seconds = await waitForState(context, async () => {
    const now = (await scalerOf(context, service)).most;
    return now === most ? undefined : `${service} has ${field} ${now}, not ${most} as Git says`;
  });
  return { what: `${field} ${most + 1} of ${service}`, seconds };
}

async function deleteService(context: Context, service: string): Promise<number> {
  const find = () => serviceObject(context, 'v1', 'Service', service);
  const before = (await find())?.metadata;
  await changeByHand(context, ['delete', 'service', before?.name ?? service, '--wait=false']);
  return waitForState(context, async () => {
    const { uid, deletionTimestamp } = (await find())?.metadata ?? {};
    const isBack = uid !== undefined && uid !== before?.uid && !deletionTimestamp;
    return isBack ? undefined : `Service ${service} was not recreated`;
  });
}

async function changeByHand(context: Context, args: readonly string[]): Promise<void> {
  const kubectl = await context.kubectl();
  await kubectl.run([...args, '--namespace', servicesNamespace]);
}

const pruned = { drill: 'prune', service: drillServices.back };
const name = `${pruned.service}-drill`;
const configMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: servicesNamespace } };

/** A commit adds a ConfigMap to a chart, the next one takes it out again. */
export const pruneDrill: Drill = {
  name: pruned.drill,
  promise: 'What leaves Git leaves the cluster',

  async hindrance(context) {
    const none = await commitsHindrance(context);
    if (none !== undefined) return none;
    const isTaken = (await inCluster(context, [configMap])).length > 0 && !(await isDeployed(context));
    return isTaken ? `the cluster has a ConfigMap ${name} that no drill created` : undefined;
  },

  async run(context) {
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
  return (await inCluster(context, [configMap])).some((object) => isTracked(object, new Set([pruned.service])));
}

async function waitForPrune(context: Context, started?: number): Promise<number> {
  const look = async () => ((await isDeployed(context)) ? `ConfigMap ${name} is still there` : undefined);
  return waitForState(context, look, started);
}
