import type { Context } from '../../images/context.ts';
import { servicesNamespace } from '../../repository/applications.ts';
import { restoreFromGit } from './commits.ts';
import { type Drill, drillServices } from './drill.ts';
import { autoscalerOf, deploymentOf, serviceObject, waitForState } from './service-state.ts';

/** By hand as a person would: scales one service, deletes a Service of another. Argo CD sets both back. */
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

/** Under an autoscaler the number of pods is the autoscaler's, and what Git says is how far it may go. */
async function scale(context: Context, service: string): Promise<{ what: string; seconds: number }> {
  const most = (await autoscalerOf(context, service))?.spec.maxReplicas;
  if (most !== undefined) {
    const patch = JSON.stringify({ spec: { maxReplicas: most + 1 } });
    const args = ['patch', 'horizontalpodautoscaler', service, '--type=merge', '--patch', patch];
    const at = async () => (await autoscalerOf(context, service))?.spec.maxReplicas;
    return { what: `maxReplicas ${most + 1} of ${service}`, seconds: await measureSelfHeal(context, args, at, most) };
  }
  const replicas = async () => (await deploymentOf(context, service))?.spec.replicas ?? 1;
  const before = await replicas();
  const args = ['scale', 'deployment', service, `--replicas=${before + 1}`];
  return {
    what: `replicas ${before + 1} of ${service}`,
    seconds: await measureSelfHeal(context, args, replicas, before),
  };
}

/** Changes a number by hand, and measures how long until it is the one that Git says. */
async function measureSelfHeal(
  context: Context,
  change: readonly string[],
  look: () => Promise<number | undefined>,
  wanted: number,
): Promise<number> {
  await changeByHand(context, change);
  const started = performance.now();
  return waitForState(
    context,
    async () => {
      const found = await look();
      return found === wanted ? undefined : `${change[2]} has ${found}, not ${wanted} as Git says`;
    },
    started,
  );
}

async function deleteService(context: Context, service: string): Promise<number> {
  const find = () => serviceObject(context, 'v1', 'Service', service);
  const before = (await find())?.metadata.uid;
  await changeByHand(context, ['delete', 'service', service, '--wait=false']);
  return waitForState(context, async () => {
    const { uid, deletionTimestamp } = (await find())?.metadata ?? {};
    return uid === undefined || uid === before || deletionTimestamp
      ? `Service ${service} is not there again`
      : undefined;
  });
}

async function changeByHand(context: Context, args: readonly string[]): Promise<void> {
  const kubectl = await context.kubectl();
  await kubectl.run([...args, '--namespace', servicesNamespace]);
}
