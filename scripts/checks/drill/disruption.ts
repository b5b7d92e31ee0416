import type { Context } from '../../images/context.ts';
import type { Workload } from '../../kubernetes/types.ts';
import { shortGracePeriod } from '../../kubernetes/waiting/deletion.ts';
import { CommandError } from '../../lib/exec.ts';
import { editYaml } from '../../repository/yaml.ts';
import { commitsHindrance, release, restoreFromGit } from './commits.ts';
import {
  type Drill,
  type DrillOutcome,
  type DrillService,
  drillServices,
  frontHindrance,
  frontService,
} from './drill.ts';
import { isLost, withRequests } from './requests.ts';
import { scalerOf, serviceObject, servingPods, waitForState } from './service-state.ts';

/** Answers in a row after which the service counts as back: the ingress learns of a new pod some seconds later. */
const answersInARow = 10;

/**
 * One of two pods dies without the time to say goodbye. The ingress asks the other one instead, so no request is lost. A
 * single pod could promise nothing about requests: until its successor is ready, nothing answers.
 */
export const podKillDrill: Drill = {
  name: 'pod-kill',
  promise: 'A pod that is killed is replaced, and no request is lost',
  hindrance: async (context) => (await frontHindrance(context)) ?? whyNoPair(context, await frontService(context)),

  async run(context) {
    const service = await frontService(context);
    const pods = await ensurePair(context, podKillDrill.name, service);
    const [victim = ''] = pods;
    return withRequests(context, async (sent) => {
      const kubectl = await context.kubectl();
      const started = performance.now();
      await kubectl.run(['delete', 'pod', victim, shortGracePeriod, '--wait=false', '--namespace', service.namespace]);
      const seconds = await waitForServing(context, service, { gone: [victim], started });
      const replaced = sent.length;
      await waitForState(context, async () => {
        const latest = sent.slice(replaced).slice(-answersInARow);
        return latest.length < answersInARow || latest.some(isLost) ? 'requests are still lost' : undefined;
      });
      const evidence = `successor of ${victim} ready, while ${pods.length - 1} of the pods served`;
      return { held: true, seconds, evidence };
    });
  },

  undo: restoreFromGit,
};

/** Why it is left out on a cluster that others run. */
export const foreignNodesReason = 'its nodes are not ours to drain';

/**
 * Evicts two pods of a service as the drain of a node does, one right behind the other. The node is not cordoned: it is the
 * only one, and the successors would have nowhere to run.
 */
export const nodeDrainDrill: Drill = {
  name: 'node-drain',
  promise: 'A drain waits for the disruption budget, and loses no request',

  async hindrance(context) {
    if (context.target !== undefined) return foreignNodesReason;
    return (await frontHindrance(context)) ?? whyNoPair(context, (await drillServices(context)).middle);
  },

  async run(context) {
    const { middle } = await drillServices(context);
    const pods = await ensurePair(context, nodeDrainDrill.name, middle);
    return withRequests(context, () => evictPair(context, middle, pods));
  },

  undo: restoreFromGit,
};

async function evictPair(context: Context, service: DrillService, pods: readonly string[]): Promise<DrillOutcome> {
  const evicted = pods.slice(0, pair);
  const [first = '', second = ''] = evicted;
  const started = performance.now();
  await waitForState(context, () => evict(context, service, first));
  let refusals = 0;
  const waited = await waitForState(context, async () => {
    const refused = await evict(context, service, second);
    if (refused !== undefined) refusals += 1;
    return refused;
  });
  const others = await servingPods(context, service, evicted);
  const seconds = await waitForServing(context, service, { gone: evicted, started });
  // Until they are gone the last of their requests may be lost.
  await waitForState(context, async () => {
    const left = (await context.api().listMetadata('v1', 'Pod')).find(
      ({ metadata: { namespace, name } }) => namespace === service.namespace && evicted.includes(name),
    );
    return left && `the pod ${left.metadata.name} is still ending`;
  });
  if (refusals === 0) return { held: false, seconds, evidence: 'the second eviction was not refused' };
  if (others.length === 0)
    return { held: false, seconds, evidence: 'the second eviction was allowed while no other pod served' };
  const evidence = `the second eviction was refused for ${waited.toFixed(1)} s, until the first pod's successor was ready`;
  return { held: true, seconds, evidence };
}

/** Asks for an eviction, as `kubectl drain` does. Returns why it is refused for now, or undefined where it was done. */
async function evict(context: Context, { namespace }: DrillService, pod: string): Promise<string | undefined> {
  const path = `/api/v1/namespaces/${namespace}/pods/${pod}/eviction`;
  const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: pod, namespace } };
  const kubectl = await context.kubectl();
  try {
    await kubectl.run(['create', '--raw', path, '-f', '-'], { input: JSON.stringify(eviction) });
    return undefined;
  } catch (error) {
    // https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/: 429 where a budget forbids it for now.
    if (error instanceof CommandError && /TooManyRequests|disruption budget/.test(error.output.stderr))
      return `the eviction of ${pod} is refused: ${error.output.stderr.trim()}`;
    throw error;
  }
}

/** The fewest pods of which one serves while the other does not. */
const pair = 2;

/** Why a service can't be given a second pod, or undefined where it can or has one. */
async function whyNoPair(context: Context, service: DrillService): Promise<string | undefined> {
  if ((await scalerOf(context, service)).least >= pair) return undefined;
  const none = await commitsHindrance(context);
  return none && `${service.name} may have a single pod, and for a second one ${none}`;
}

/**
 * Makes sure that two pods of a service serve. Where a single one is enough, a commit asks for the second.
 * @returns the names of those that serve
 * @throws UserError where they do not serve by the context's deadline
 */
async function ensurePair(context: Context, drill: string, service: DrillService): Promise<string[]> {
  if ((await scalerOf(context, service)).least < pair) {
    const edit = (text: string, file: string) =>
      editYaml(text, file, (document) => {
        document.setIn(['replicaCount'], pair);
        document.setIn(['autoscaling', 'minReplicas'], pair);
      });
    await release(context, { drill, service: service.name, message: `Run ${service.name} with ${pair} pods`, edit });
  }
  await waitForServing(context, service);
  return servingPods(context, service);
}

/**
 * Waits until as many pods serve as the Deployment wants, and two at least; those that are gone are not counted.
 * @returns the seconds since `started`
 */
async function waitForServing(
  context: Context,
  service: DrillService,
  { gone, started }: { gone?: readonly string[]; started?: number } = {},
): Promise<number> {
  const look = async () => {
    const [serving, deployment] = await Promise.all([
      servingPods(context, service, gone),
      serviceObject<Workload>(context, 'apps/v1', 'Deployment', service),
    ]);
    const wanted = Math.max(pair, deployment?.spec.replicas ?? 1);
    return serving.length >= wanted ? undefined : `${serving.length} of ${wanted} pods of ${service.name} serve`;
  };
  return waitForState(context, look, started);
}
