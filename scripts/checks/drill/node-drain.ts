import type { Context } from '../../images/context.ts';
import { CommandError } from '../../lib/exec.ts';
import { servicesNamespace } from '../../repository/applications.ts';
import { restoreFromGit } from './commits.ts';
import { type Drill, drillServices } from './drill.ts';
import { allAnswered, describeLosses, withRequests } from './requests.ts';
import { deploymentOf, readyPods, waitForState } from './service-state.ts';
import { haveTwo, noSecondPod } from './two-pods.ts';

const service = drillServices.middle;
/** Why it is left out on a cluster that somebody else runs. */
export const foreignNodesReason = 'its nodes are not ours to drain';

/**
 * Evicts two pods of a service as the drain of a node does, one right behind the other. The node is not cordoned: it is the
 * only one, and the successors would have nowhere to go.
 */
export const nodeDrainDrill: Drill = {
  name: 'node-drain',
  promise: 'A drain waits for the disruption budget, and loses no request',

  async hindrance(context) {
    if (context.target !== undefined) return foreignNodesReason;
    return noSecondPod(context, service);
  },

  async run(context) {
    await haveTwo(context, nodeDrainDrill.name, service);
    const { result, answers } = await withRequests(context, () => evictPair(context));
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

async function evictPair(context: Context): Promise<EvictionResult> {
  const [first = '', second = ''] = (await readyPods(context, service)).map(({ metadata }) => metadata.name);
  const started = performance.now();
  await waitForState(context, () => evict(context, first));
  let refusals = 0;
  const waited = await waitForState(context, async () => {
    const refused = await evict(context, second);
    if (refused !== undefined) refusals += 1;
    return refused;
  });
  const others = async () =>
    (await readyPods(context, service)).filter(({ metadata: { name } }) => name !== first && name !== second).length;
  const served = await others();
  const whole = async () => {
    const [serving, deployment] = [await others(), await deploymentOf(context, service)];
    const wanted = deployment?.spec.replicas ?? 1;
    return serving >= wanted ? undefined : `${serving} of ${wanted} pods of ${service} serve`;
  };
  const seconds = await waitForState(context, whole, started);
  // Until they are gone the last of their requests may be lost.
  await waitForState(context, async () => {
    const left = (await context.api().listMetadata('v1', 'Pod')).find(
      ({ metadata: { namespace, name } }) => namespace === servicesNamespace && (name === first || name === second),
    );
    return left && `the pod ${left.metadata.name} is still ending`;
  });
  return { refusals, waited, others: served, seconds };
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
