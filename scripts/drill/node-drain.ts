import { parseDocument } from 'yaml';
import { registrationOf } from '../components/registrations.ts';
import type { Context } from '../context.ts';
import { CommandError } from '../lib/exec.ts';
import { localValueFiles, servicesNamespace } from '../services.ts';
import { cast } from './cast.ts';
import type { Drill } from './drill.ts';
import { servingPods, untilSeen } from './looking.ts';
import { backToGit, chartFile, commitFor, noCommits, release } from './release.ts';
import { lostOf, underRequests } from './requests.ts';

const service = cast.middle;
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
    if ((await servingPods(context, service)).length >= pair) return undefined;
    const none = await noCommits(context);
    return none && `${service} has one pod, which holds nothing back, and for a second one ${none}`;
  },

  async run(context) {
    await haveTwo(context);
    const { result, answers } = await underRequests(context, async () => {
      const before = (await servingPods(context, service)).map(({ metadata }) => metadata.name);
      const [first = '', second = ''] = before;
      const started = performance.now();
      await untilSeen(context, () => evict(context, first));
      let refusals = 0;
      const waited = await untilSeen(context, async () => {
        const refused = await evict(context, second);
        if (refused !== undefined) refusals += 1;
        return refused;
      });
      const alone = (await servingPods(context, service)).filter(({ metadata }) => metadata.name !== second).length;
      const look = async () => {
        const serving = (await servingPods(context, service)).filter(({ metadata }) => !before.includes(metadata.name));
        return serving.length >= before.length ? undefined : `${serving.length} of ${before.length} successors serve`;
      };
      const seconds = await untilSeen(context, look, started);
      // Until they are gone the last of their requests may be lost.
      await untilSeen(context, async () => {
        const left = (await context.api().listMetadata('v1', 'Pod')).find(
          ({ metadata }) => metadata.namespace === servicesNamespace && [first, second].includes(metadata.name),
        );
        return left && `the pod ${left.metadata.name} is still ending`;
      });
      return { refusals, waited, alone, seconds };
    });
    const { refusals, waited, alone, seconds } = result;
    const held = refusals > 0 && alone > 0 && answers.lost.length === 0;
    const refused =
      refusals > 0
        ? `the second eviction was refused for ${waited.toFixed(1)} s, until the first pod's successor was ready`
        : 'the second eviction was not refused';
    return { held, seconds, evidence: `${refused}; ${lostOf(answers)}` };
  },

  undo: backToGit,
};

/** Where a single pod is enough, a commit asks for a second one. */
async function haveTwo(context: Context): Promise<void> {
  const two = async () => {
    const serving = (await servingPods(context, service)).length;
    return serving >= pair ? undefined : `${serving} of ${pair} pods of ${service} serve`;
  };
  if ((await two()) === undefined) return;
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
