import { parseDocument } from 'yaml';
import { deployedPods } from '../../components/deployed-pods.ts';
import type { Context } from '../../images/context.ts';
import { ensureStubs, removeStubs, stubsAmong } from '../../images/stubs.ts';
import { eventsOf } from '../../kubernetes/explain/explain.ts';
import { podProblemOf } from '../../kubernetes/explain/pod-problem.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { shortGracePeriod } from '../../kubernetes/waiting/deletion.ts';
import { isReady, type Pod, type PodSpec, type Workload } from '../../kubernetes/workloads.ts';
import { servicesNamespace } from '../../repository/applications.ts';
import { imagesAtHead } from '../../repository/committed-values.ts';
import { cast } from './cast.ts';
import { podsOf, untilSeen } from './looking.ts';
import { chartFile, commitFor, release } from './release.ts';

const service = cast.front;
/** A stand-in of this tag starts and never gets healthy. Of the real services there is none: then it can't be pulled. */
const tag = 'broken';
const file = 'values.yaml';

export interface BadRelease {
  commit: string;
  /** When it was released (`performance.now()`). */
  since: number;
  image: string;
  /** Why its pod does not get ready, in Kubernetes' words. */
  reason: string;
  /** Its pods, those on their way out aside. */
  pods(): Promise<Pod[]>;
}

/** Without a token the bad image is a stand-in, which takes a while to build. */
export async function prepareBadImage(context: Context): Promise<void> {
  if (await context.credentials.account()) return;
  await ensureStubs(context, new Map([[service, await badImage(context)]]));
}

/** Releases an image that never gets ready, and waits until Kubernetes has found that out. */
export async function releaseBadImage(context: Context, drill: string): Promise<BadRelease> {
  const image = await badImage(context);
  const values = parseDocument(await chartFile(context, service, file));
  values.setIn(['image', 'tag'], tag);
  const commit = await commitFor(context, service, `Promote ${service} to ${tag}`, { [file]: values.toString() });
  const since = performance.now();
  await release(context, drill, service, commit);
  const pods = async () =>
    (await podsOf(context, service)).filter(({ spec }) => spec.containers.some((one) => one.image === image));
  let reason: string | undefined;
  await untilSeen(context, async () => {
    const [pod] = await pods();
    if (!pod) return `no pod of ${image} has been made`;
    reason = await whyUnready(context, pod);
    return reason === undefined ? `nothing is known against the pod ${pod.metadata.name} yet` : undefined;
  });
  return { commit, since, image, pods, reason: reason ?? '' };
}

async function badImage(context: Context): Promise<string> {
  const image = (await imagesAtHead(context)).get(service) ?? '';
  return `${image.slice(0, image.lastIndexOf(':'))}:${tag}`;
}

/** In words, or undefined while it may be starting. */
async function whyUnready(context: Context, pod: Pod): Promise<string | undefined> {
  if (isReady(pod)) return undefined;
  const trouble = podProblemOf(pod);
  if (trouble) return trouble.reason;
  const { name, namespace = servicesNamespace } = pod.metadata;
  return (await eventsOf(context, namespace, name)).findLast(({ reason }) => reason === 'Unhealthy')?.message;
}

/**
 * Takes away what a bad release leaves behind once its Application is back: its pods, which never served and need no time to
 * say goodbye, and its place in the history of rollouts, so that `kubectl rollout undo` does not go there. In this order: a
 * disruption budget that finds a pod without its owner makes the Application Degraded.
 */
export async function forgetBadRollout(context: Context): Promise<void> {
  const image = await badImage(context);
  const runsIt = ({ containers }: PodSpec) => containers.some((one) => one.image === image);
  // Somebody may try the image by hand in that namespace.
  const pods = async () =>
    deployedPods(
      context,
      (await context.api().list<Pod>('v1', 'Pod', servicesNamespace)).filter(({ spec }) => runsIt(spec)),
    );
  await deleteAll(context, 'pods', await pods());
  await untilSeen(context, async () => {
    const [pod] = await pods();
    return pod && `the bad pod ${pod.metadata.name} is still ending`;
  });
  const sets = (await context.api().list<Workload>('apps/v1', 'ReplicaSet', servicesNamespace)).filter(
    ({ spec, metadata }) =>
      spec.replicas === 0 &&
      runsIt(spec.template.spec) &&
      metadata.ownerReferences?.some(({ kind, name }) => kind === 'Deployment' && name === service),
  );
  await deleteAll(context, 'replicasets', sets);
}

async function deleteAll(context: Context, resource: string, objects: readonly KubeObject[]): Promise<void> {
  if (objects.length === 0) return;
  const kubectl = await context.kubectl();
  const how = ['--namespace', servicesNamespace, '--ignore-not-found', '--wait=false', shortGracePeriod];
  await kubectl.run(['delete', resource, ...how, ...objects.map(({ metadata }) => metadata.name)]);
}

/** Takes the bad image out of the node, where it is a stand-in. */
export async function removeBadImage(context: Context): Promise<void> {
  if (context.target !== undefined) return;
  const standIns = await stubsAmong(context, [await badImage(context)]);
  if (standIns.size > 0) await removeStubs(context, standIns);
}
