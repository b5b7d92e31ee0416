import type { Context } from '../../images/context.ts';
import { servicesNamespace } from '../../repository/applications.ts';
import { restoreFromGit } from './commits.ts';
import { type Drill, drillServices } from './drill.ts';
import { autoscalerOf, deploymentOf, serviceObject, waitForState } from './service-state.ts';

/** By hand, as you would: scales one service, deletes a Service of another. Argo CD reverts both. */
export const selfHealDrill: Drill = {
  name: 'self-heal',
  promise: 'What is changed or deleted by hand is set back',

  async run(context) {
    const scaled = await scale(context, drillServices.middle);
    const remade = await deleteService(context, drillServices.back);
    return {
      held: true,
      seconds: Math.max(scaled.seconds, remade),
      evidence: `${scaled.what} set back after ${scaled.seconds.toFixed(1)} s; Service ${drillServices.back}, deleted, there again after ${remade.toFixed(1)} s`,
    };
  },

  undo: restoreFromGit,
};

/** Under an autoscaler the number of pods is the autoscaler's, and what Git says is how far it may scale. */
async function scale(context: Context, service: string): Promise<{ what: string; seconds: number }> {
  const look = async () => {
    const autoscaler = await autoscalerOf(context, service);
    return autoscaler
      ? { kind: 'horizontalpodautoscaler', field: 'maxReplicas', number: autoscaler.spec.maxReplicas }
      : { kind: 'deployment', field: 'replicas', number: (await deploymentOf(context, service))?.spec.replicas ?? 1 };
  };
  const { kind, field, number } = await look();
  const patch = JSON.stringify({ spec: { [field]: number + 1 } });
  await changeByHand(context, ['patch', kind, service, '--type=merge', '--patch', patch]);
  const seconds = await waitForState(context, async () => {
    const now = (await look()).number;
    return now === number ? undefined : `${service} has ${field} ${now}, not ${number} as Git says`;
  });
  return { what: `${field} ${number + 1} of ${service}`, seconds };
}

async function deleteService(context: Context, service: string): Promise<number> {
  const find = () => serviceObject(context, 'v1', 'Service', service);
  const before = (await find())?.metadata.uid;
  await changeByHand(context, ['delete', 'service', service, '--wait=false']);
  return waitForState(context, async () => {
    const { uid, deletionTimestamp } = (await find())?.metadata ?? {};
    const isBack = uid !== undefined && uid !== before && !deletionTimestamp;
    return isBack ? undefined : `Service ${service} is not there again`;
  });
}

async function changeByHand(context: Context, args: readonly string[]): Promise<void> {
  const kubectl = await context.kubectl();
  await kubectl.run([...args, '--namespace', servicesNamespace]);
}
