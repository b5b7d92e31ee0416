import { notReadyReason } from '../../components/applications.ts';
import { deployedPods } from '../../components/pull-secret.ts';
import type { Context } from '../../images/context.ts';
import { ensureStubs, removeStubs, stubsAmong } from '../../images/stubs.ts';
import { eventsOf } from '../../kubernetes/explain/explain.ts';
import { podProblemOf } from '../../kubernetes/explain/pod-problem.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import type { Pod, PodSpec, Workload } from '../../kubernetes/types.ts';
import { shortGracePeriod } from '../../kubernetes/waiting/deletion.ts';
import { isReady } from '../../kubernetes/workloads.ts';
import { shortSha } from '../../lib/git/checkout.ts';
import { servicesNamespace } from '../../repository/applications.ts';
import { imagesAtHead } from '../../repository/committed-values.ts';
import { editYaml } from '../../repository/yaml.ts';
import {
  chartFile,
  commitFiles,
  commitRevert,
  commitsHindrance,
  deployCommit,
  liveApplication,
  restoreFromGit,
} from './commits.ts';
import { type Drill, drillServices } from './drill.ts';
import { allAnswered, describeLosses, withRequests } from './requests.ts';
import { podsOfService, readyPods, servingPods, waitForState } from './service-state.ts';

/** Milliseconds for which the bad release is watched once it is known to be bad. */
const watchMs = 8000;

const service = drillServices.front;
/** A stub of this tag starts and never gets healthy. Of the real services there is none: then it can't be pulled. */
const badTag = 'broken';
const valuesFile = 'values.yaml';

/** What both drills with a bad release have in common. */
const badRelease = {
  hindrance: commitsHindrance,
  async undo(context: Context) {
    await restoreFromGit(context);
    await removeBadRollout(context);
  },
  tidy: removeBadImage,
};

/** A commit promotes an image that never gets ready. The rolling update waits for it, and the old pods continue to serve. */
export const badImageDrill: Drill = {
  ...badRelease,
  name: 'bad-image',
  promise: 'A bad image is held back, and the old pods go on serving',

  async run(context) {
    await prepareBadImage(context);
    const old = await servingPods(context, service);
    const { result, answers } = await withRequests(context, async () => {
      const bad = await releaseBadImage(context, badImageDrill.name);
      const complaint = await watch(context, bad, old);
      return { bad, complaint, seconds: (performance.now() - bad.since) / 1000 };
    });
    const { bad, complaint, seconds } = result;
    const seen = complaint ?? `the new pod is not let in (${bad.reason})`;
    const held = complaint === undefined && allAnswered(answers);
    return { held, seconds, evidence: `${seen}; ${describeLosses(answers)}` };
  },
};

/** A bad release is under way; the commit that reverts it deploys like any other. */
export const rollbackDrill: Drill = {
  ...badRelease,
  name: 'rollback',
  promise: 'A revert of a bad release restores the service',

  async run(context) {
    await prepareBadImage(context);
    const { result, answers } = await withRequests(context, async () => {
      const bad = await releaseBadImage(context, rollbackDrill.name);
      const revert = await commitRevert(context, bad.commit);
      const started = performance.now();
      await deployCommit(context, rollbackDrill.name, service, revert);
      const look = async () => {
        const unfit = notReadyReason(await liveApplication(context, service), revert);
        if (unfit !== undefined) return `Application ${service} is ${unfit}`;
        const [pod] = await bad.pods();
        return pod && `the bad pod ${pod.metadata.name} is still there`;
      };
      return { revert, bad, seconds: await waitForState(context, look, started) };
    });
    const { revert, bad, seconds } = result;
    const [from, to] = [bad.commit, revert].map(shortSha);
    const evidence = `healthy at ${to}, the revert of ${from}, and its pod is gone; ${describeLosses(answers)}`;
    return { held: allAnswered(answers), seconds, evidence };
  },
};

/** Looks for a while whether all stays so. Returns what does not, or undefined. */
async function watch(context: Context, bad: BadRelease, old: readonly string[]): Promise<string | undefined> {
  const end = performance.now() + watchMs;
  let complaint: string | undefined;
  await waitForState(context, async () => {
    const [pods, serving] = await Promise.all([bad.pods(), readyPods(context, service)]);
    const names = new Set(serving.map(({ metadata }) => metadata.name));
    const gone = old.find((name) => !names.has(name));
    if (gone !== undefined) complaint = `the old pod ${gone} was deleted`;
    if (pods.some(isReady)) complaint = `a pod of ${bad.image} got ready`;
    return complaint !== undefined || performance.now() > end ? undefined : 'the bad release is watched';
  });
  return complaint;
}

interface BadRelease {
  commit: string;
  /** When it was released (`performance.now()`). */
  since: number;
  image: string;
  /** Why its pod does not get ready, in Kubernetes' words. */
  reason: string;
  /** Its pods, those on their way out aside. */
  pods(): Promise<Pod[]>;
}

/** Without a token the bad image is a stub, which takes a while to build. */
async function prepareBadImage(context: Context): Promise<void> {
  if (await context.credentials.account()) return;
  await ensureStubs(context, new Map([[service, await badImageName(context)]]));
}

/** Releases an image that never gets ready, and waits until Kubernetes has found that out. */
async function releaseBadImage(context: Context, drill: string): Promise<BadRelease> {
  const image = await badImageName(context);
  const values = editYaml(await chartFile(context, service, valuesFile), valuesFile, (document) =>
    document.setIn(['image', 'tag'], badTag),
  );
  const commit = await commitFiles(context, service, `Promote ${service} to ${badTag}`, { [valuesFile]: values });
  const since = performance.now();
  await deployCommit(context, drill, service, commit);
  const pods = async () =>
    (await podsOfService(context, service)).filter(({ spec }) => spec.containers.some((one) => one.image === image));
  let reason: string | undefined;
  await waitForState(context, async () => {
    const [pod] = await pods();
    if (!pod) return `no pod of ${image} has been made`;
    reason = await whyUnready(context, pod);
    return reason === undefined ? `nothing is known against the pod ${pod.metadata.name} yet` : undefined;
  });
  return { commit, since, image, pods, reason: reason ?? '' };
}

async function badImageName(context: Context): Promise<string> {
  const image = (await imagesAtHead(context)).get(service) ?? '';
  return `${image.slice(0, image.lastIndexOf(':'))}:${badTag}`;
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
 * Deletes what a bad release leaves behind once its Application is back: its pods, which never served and need no time to
 * say goodbye, and its place in the history of rollouts, so that `kubectl rollout undo` does not go there. In this order: a
 * disruption budget that finds a pod without its owner makes the Application Degraded.
 */
export async function removeBadRollout(context: Context): Promise<void> {
  const image = await badImageName(context);
  const runsIt = ({ containers }: PodSpec) => containers.some((one) => one.image === image);
  // You may try the image by hand in that namespace.
  const pods = async () =>
    deployedPods(
      context,
      (await context.api().list<Pod>('v1', 'Pod', servicesNamespace)).filter(({ spec }) => runsIt(spec)),
    );
  await deleteObjects(context, 'pods', await pods());
  await waitForState(context, async () => {
    const [pod] = await pods();
    return pod && `the bad pod ${pod.metadata.name} is still ending`;
  });
  const sets = (await context.api().list<Workload>('apps/v1', 'ReplicaSet', servicesNamespace)).filter(
    ({ spec, metadata }) =>
      spec.replicas === 0 &&
      runsIt(spec.template.spec) &&
      metadata.ownerReferences?.some(({ kind, name }) => kind === 'Deployment' && name === service),
  );
  await deleteObjects(context, 'replicasets', sets);
}

async function deleteObjects(context: Context, resource: string, objects: readonly KubeObject[]): Promise<void> {
  if (objects.length === 0) return;
  const kubectl = await context.kubectl();
  const how = ['--namespace', servicesNamespace, '--ignore-not-found', '--wait=false', shortGracePeriod];
  await kubectl.run(['delete', resource, ...how, ...objects.map(({ metadata }) => metadata.name)]);
}

/** Removes the bad image from the node, where it is a stub. */
export async function removeBadImage(context: Context): Promise<void> {
  if (context.target !== undefined) return;
  const stubs = await stubsAmong(context, [await badImageName(context)]);
  if (stubs.size > 0) await removeStubs(context, stubs);
}
