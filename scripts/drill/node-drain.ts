import { parseDocument } from 'yaml';
import type { Context } from '../context.ts';
import { CommandError } from '../lib/exec.ts';
import { localValueFiles, servicesNamespace } from '../services.ts';
import { cast } from './cast.ts';
import type { Drill } from './drill.ts';
import { autoscalerOf, deploymentOf, servingPods, untilSeen } from './looking.ts';
import { backToGit, chartFile, commitFor, noCommits, registrationOf, release } from './release.ts';
import { lostOf, underRequests } from './requests.ts';

const service = cast.middle;
/** Why it is left out on a cluster that somebody else runs. */
export const nobodysNodes = 'its nodes are not ours to drain';
/** The fewest pods of which one has to wait for the other. */
const pair = 2;

/**
 * Evicts two pods of a service as the drain of a node does, one right behind the other. The node is not cordoned: it is the
 * only one, and the successors would have nowhere to go.
 */
export const nodeDrain: Drill = {
  name: 'node-drain',
  promise: 'A drain waits for the disruption budget, and loses no request',

  async hindrance(context) {
    if (context.target !== undefined) return nobodysNodes;
    if ((await fewest(context)) >= pair) return undefined;
    const none = await noCommits(context);
    return none && `${service} may have one pod, which holds nothing back, and for a second one ${none}`;
  },

  async run(context) {
    await haveTwo(context);
    const { result, answers } = await underRequests(context, () => evictPair(context));
    const { refusals, waited, others, seconds } = result;
    const held = refusals > 0 && others > 0 && answers.lost.length === 0;
    const refused = !refusals
      ? 'the second eviction was not refused'
      : others
        ? `the second eviction was refused for ${waited.toFixed(1)} s, until the first pod's successor was ready`
        : 'the second eviction went through while no other pod served';
    return { held, seconds, evidence: `${refused}; ${lostOf(answers)}` };
  },

  undo: backToGit,
};

interface Evicted {
  /** How often the second eviction was refused, and for how many seconds. */
  refusals: number;
  waited: number;
  /** How many other pods served when it went through. */
  others: number;
  /** Seconds from the first eviction until all pods that are wanted served again. */
  seconds: number;
}

async function evictPair(context: Context): Promise<Evicted> {
  const [first = '', second = ''] = (await servingPods(context, service)).map(({ metadata }) => metadata.name);
  const started = performance.now();
  await untilSeen(context, () => evict(context, first));
  let refusals = 0;
  const waited = await untilSeen(context, async () => {
    const refused = await evict(context, second);
    if (refused !== undefined) refusals += 1;
    return refused;
  });
  const others = async () =>
    (await servingPods(context, service)).filter(({ metadata: { name } }) => name !== first && name !== second).length;
  const served = await others();
  const whole = async () => {
    const [serving, deployment] = [await others(), await deploymentOf(context, service)];
    const wanted = deployment?.spec.replicas ?? 1;
    return serving >= wanted ? undefined : `${serving} of ${wanted} pods of ${service} serve`;
  };
  const seconds = await untilSeen(context, whole, started);
  // Until they are gone the last of their requests may be lost.
  await untilSeen(context, async () => {
    const left = (await context.api().listMetadata('v1', 'Pod')).find(
      ({ metadata: { namespace, name } }) => namespace === servicesNamespace && (name === first || name === second),
    );
    return left && `the pod ${left.metadata.name} is still ending`;
  });
  return { refusals, waited, others: served, seconds };
}

/** The number of pods that the service has at least, also when there is nothing to do. */
async function fewest(context: Context): Promise<number> {
  const [autoscaler, deployment] = await Promise.all([autoscalerOf(context, service), deploymentOf(context, service)]);
  return (autoscaler ? autoscaler.spec.minReplicas : deployment?.spec.replicas) ?? 1;
}

/** Where a single pod is enough, a commit asks for a second one. */
async function haveTwo(context: Context): Promise<void> {
  const two = async () => {
    const serving = (await servingPods(context, service)).length;
    return serving >= pair ? undefined : `${serving} of ${pair} pods of ${service} serve`;
  };
  if ((await fewest(context)) >= pair) return;
  const file = localValueFiles(await registrationOf(context, service), context.config.environment).at(-1) ?? '';
  const values = parseDocument(await chartFile(context, service, file));
  values.setIn(['replicaCount'], pair);
  values.setIn(['autoscaling', 'minReplicas'], pair);
  const commit = await commitFor(context, service, `Run ${service} with ${pair} pods`, { [file]: values.toString() });
  await release(context, nodeDrain.name, service, commit);
  await untilSeen(context, two);
}

/** Asks for an eviction, as `kubectl drain` does. Hands back why it is refused for now, or undefined where it was done. */
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
