import type { Context } from '../../images/context.ts';
import { shortGracePeriod } from '../../kubernetes/waiting/deletion.ts';
import { CommandError } from '../../lib/exec.ts';
import { localValueFiles, servicesNamespace } from '../../repository/applications.ts';
import { editYaml } from '../../repository/yaml.ts';
import { chartFile, commitFiles, commitsHindrance, deployCommit, registrationOf, restoreFromGit } from './commits.ts';
import { type Drill, drillServices } from './drill.ts';
import { allAnswered, describeLosses, withRequests } from './requests.ts';
import { autoscalerOf, deploymentOf, readyPods, servingPods, waitForState } from './service-state.ts';

/** Answers in a row after which the service counts as back: the ingress learns of a new pod some seconds later. */
const answersInARow = 10;

/**
 * One of two pods dies without the time to say goodbye. The ingress asks the other one instead, so no request is lost. A
 * single pod could promise nothing about requests: until its successor is ready, nothing answers.
 */
export const podKillDrill: Drill = {
  name: 'pod-kill',
  promise: 'A pod that is killed is replaced, and no request is lost',
  hindrance: (context) => noSecondPod(context, drillServices.front),

  async run(context) {
    const service = drillServices.front;
    await haveTwo(context, podKillDrill.name, service);
    const before = await servingPods(context, service);
    const [victim = ''] = before;
    const { result: seconds, answers } = await withRequests(context, async (answers) => {
      const kubectl = await context.kubectl();
      const started = performance.now();
      await kubectl.run(['delete', 'pod', victim, shortGracePeriod, '--wait=false', '--namespace', servicesNamespace]);
      const replaced = await waitForState(context, () => tooFew(context, service, before.length, [victim]), started);
      let lost = answers.lost.length;
      let from = answers.asked;
      await waitForState(context, async () => {
        if (answers.lost.length > lost) [lost, from] = [answers.lost.length, answers.asked];
        return answers.asked - from >= answersInARow ? undefined : 'requests are still lost';
      });
      return replaced;
    });
    const evidence = `successor of ${victim} ready; ${describeLosses(answers)}, while ${before.length - 1} of the pods served`;
    return { held: allAnswered(answers), seconds, evidence };
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
    return noSecondPod(context, drillServices.middle);
  },

  async run(context) {
    await haveTwo(context, nodeDrainDrill.name, drillServices.middle);
    const { result, answers } = await withRequests(context, () => evictPair(context, drillServices.middle));
    const { refusals, waited, others, seconds } = result;
    const held = refusals > 0 && others > 0 && allAnswered(answers);
    const refused = !refusals
      ? 'the second eviction was not refused'
      : others
        ? `the second eviction was refused for ${waited.toFixed(1)} s, until the first pod's successor was ready`
        : 'the second eviction went through while no other pod served';
    return { held, seconds, evidence: `${refused}; ${describeLosses(answers)}` };
  },

  undo: restoreFromGit,
};

interface EvictionResult {
  /** How often the second eviction was refused, and for how many seconds. */
  refusals: number;
  waited: number;
  /** How many other pods served when it went through. */
  others: number;
  /** Seconds from the first eviction until all pods that are wanted served again. */
  seconds: number;
}

async function evictPair(context: Context, service: string): Promise<EvictionResult> {
  const [first = '', second = ''] = await servingPods(context, service);
  const evicted = [first, second];
  const started = performance.now();
  await waitForState(context, () => evict(context, first));
  let refusals = 0;
  const waited = await waitForState(context, async () => {
    const refused = await evict(context, second);
    if (refused !== undefined) refusals += 1;
    return refused;
  });
  const others = (await otherPods(context, service, evicted)).length;
  const whole = async () =>
    tooFew(context, service, (await deploymentOf(context, service))?.spec.replicas ?? 1, evicted);
  const seconds = await waitForState(context, whole, started);
  // Until they are gone the last of their requests may be lost.
  await waitForState(context, async () => {
    const left = (await context.api().listMetadata('v1', 'Pod')).find(
      ({ metadata: { namespace, name } }) => namespace === servicesNamespace && evicted.includes(name),
    );
    return left && `the pod ${left.metadata.name} is still ending`;
  });
  return { refusals, waited, others, seconds };
}

/** Asks for an eviction, as `kubectl drain` does. Returns why it is refused for now, or undefined where it was done. */
async function evict(context: Context, pod: string): Promise<string | undefined> {
  const path = `/api/v1/namespaces/${servicesNamespace}/pods/${pod}/eviction`;
  const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: pod, namespace: servicesNamespace } };
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
async function noSecondPod(context: Context, service: string): Promise<string | undefined> {
  if ((await fewest(context, service)) >= pair) return undefined;
  const none = await commitsHindrance(context);
  return none && `${service} may have a single pod, and for a second one ${none}`;
}

/**
 * Makes sure that two pods of a service serve. Where a single one is enough, a commit asks for the second.
 * @throws UserError where they do not serve by the context's deadline.
 */
async function haveTwo(context: Context, drill: string, service: string): Promise<void> {
  if ((await fewest(context, service)) < pair) {
    const file = localValueFiles(await registrationOf(context, service), context.config.environment).at(-1) ?? '';
    const values = editYaml(await chartFile(context, service, file), file, (document) => {
      document.setIn(['replicaCount'], pair);
      document.setIn(['autoscaling', 'minReplicas'], pair);
    });
    const commit = await commitFiles(context, service, `Run ${service} with ${pair} pods`, { [file]: values });
    await deployCommit(context, drill, service, commit);
  }
  await waitForState(context, () => tooFew(context, service, pair));
}

/** The number of pods that the service has at least, also when there is nothing to do. */
async function fewest(context: Context, service: string): Promise<number> {
  const [autoscaler, deployment] = await Promise.all([autoscalerOf(context, service), deploymentOf(context, service)]);
  return (autoscaler ? autoscaler.spec.minReplicas : deployment?.spec.replicas) ?? 1;
}

async function otherPods(context: Context, service: string, gone: readonly string[]): Promise<unknown[]> {
  return (await readyPods(context, service)).filter(({ metadata }) => !gone.includes(metadata.name));
}

/** That fewer pods serve than are wanted, those that are gone not counted; undefined where there are enough. */
async function tooFew(
  context: Context,
  service: string,
  wanted: number,
  gone: readonly string[] = [],
): Promise<string | undefined> {
  const serving = (await otherPods(context, service, gone)).length;
  return serving >= wanted ? undefined : `${serving} of ${wanted} pods of ${service} serve`;
}
