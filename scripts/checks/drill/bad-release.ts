import { notReadyReason } from '../../components/applications.ts';
import { deployedPods } from '../../components/pull-secret.ts';
import type { Context } from '../../images/context.ts';
import { ensureStubs, removeStubs, stubsAmong } from '../../images/stubs.ts';
import { eventsOf } from '../../kubernetes/explain/explain.ts';
import { podProblemOf } from '../../kubernetes/explain/pod-problem.ts';
import type { Pod, PodSpec, Workload } from '../../kubernetes/types.ts';
import { shortGracePeriod, startDeleting } from '../../kubernetes/waiting/deletion.ts';
import { isOfService, isReady } from '../../kubernetes/workloads.ts';
import { UserError } from '../../lib/errors.ts';
import { shortSha } from '../../lib/git/checkout.ts';
import { applicationsNow } from '../../repository/applications.ts';
import { imagesAtHead } from '../../repository/committed-values.ts';
import { editYaml } from '../../repository/yaml.ts';
import { commitsHindrance, release, restoreFromGit, revert } from './commits.ts';
import {
  type Drill,
  type DrillOutcome,
  type DrillService,
  drillServices,
  frontHindrance,
  frontService,
} from './drill.ts';
import { withRequests } from './requests.ts';
import { podsOfService, servingPods, waitForState } from './service-state.ts';

/** A stub of this tag starts and never gets healthy. Of the real services there is none: then it can't be pulled. */
const badTag = 'broken';

/** A release whose pod does not get ready. */
interface BadRelease {
  service: DrillService;
  commit: string;
  /** When it was released (`performance.now()`). */
  since: number;
  image: string;
  /** Why its pod does not get ready, in Kubernetes' words. */
  reason: string;
  /** The pods that served before. */
  old: readonly string[];
}

/** A drill that begins with a bad release, while requests come in. */
function badReleaseDrill(
  name: string,
  promise: string,
  show: (context: Context, bad: BadRelease) => Promise<DrillOutcome>,
): Drill {
  return {
    name,
    promise,
    hindrance: async (context) => (await commitsHindrance(context)) ?? frontHindrance(context),
    async run(context) {
      await prepareBadImage(context);
      return withRequests(context, async () => show(context, await releaseBadImage(context, name)));
    },
    undo: undoBadRelease,
    cleanUp: removeBadImage,
  };
}

/** Milliseconds for which the bad release is watched once it is known to be bad. */
const watchMs = 8000;

/** A commit promotes an image that never gets ready. The rolling update waits for it, and the old pods continue to serve. */
export const badImageDrill = badReleaseDrill(
  'bad-image',
  'A bad image is held back, and the old pods continue to serve',
  async (context, bad) => {
    const end = performance.now() + watchMs;
    let complaint: string | undefined;
    await waitForState(context, async () => {
      const [pods, serving] = await Promise.all([
        podsOf(context, bad.service, bad.image),
        servingPods(context, bad.service),
      ]);
      const gone = bad.old.find((name) => !serving.includes(name));
      if (gone !== undefined) complaint = `the old pod ${gone} was deleted`;
      if (pods.some(isReady)) complaint = `a pod of ${bad.image} got ready`;
      return complaint !== undefined || performance.now() > end ? undefined : 'the bad release is watched';
    });
    return {
      held: complaint === undefined,
      seconds: (performance.now() - bad.since) / 1000,
      evidence: complaint ?? `the new pod is not let in (${bad.reason})`,
    };
  },
);

/** A bad release is under way; the commit that reverts it deploys like any other. */
export const rollbackDrill = badReleaseDrill(
  'rollback',
  'A revert of a bad release restores the service',
  async (context, bad) => {
    const { name: service } = bad.service;
    const { commit, since } = await revert(context, { drill: 'rollback', service }, bad.commit);
    const look = async () => {
      const application = (await applicationsNow(context)).find(({ metadata }) => metadata.name === service);
      const unfit = application ? notReadyReason(application, commit) : 'missing';
      if (unfit !== undefined) return `Application ${service} is ${unfit}`;
      const [pod] = await podsOf(context, bad.service, bad.image);
      return pod && `the bad pod ${pod.metadata.name} is still there`;
    };
    const seconds = await waitForState(context, look, since);
    const [from, to] = [bad.commit, commit].map(shortSha);
    return { held: true, seconds, evidence: `healthy at ${to}, the revert of ${from}, and its pod is gone` };
  },
);

/** Without a token the bad image is a stub, which takes a while to build. */
async function prepareBadImage(context: Context): Promise<void> {
  if (await context.credentials.account()) return;
  const service = await frontService(context);
  await ensureStubs(context, new Map([[service.name, await badImageName(context, service)]]));
}

/** Releases an image that never gets ready, and waits until Kubernetes has found that out. */
async function releaseBadImage(context: Context, drill: string): Promise<BadRelease> {
  const service = await frontService(context);
  const { name } = service;
  const [image, old] = await Promise.all([badImageName(context, service), servingPods(context, service)]);
  if (old.length === 0) throw new UserError(`No pod of ${name} serves.`, { hint: 'npm run status' });
  const edit = (text: string, file: string) =>
    editYaml(text, file, (document) => document.setIn(['image', 'tag'], badTag));
  const message = `Promote ${name} to ${badTag}`;
  const { commit, since } = await release(context, { drill, service: name, message, file: 'values.yaml', edit });
  let reason: string | undefined;
  await waitForState(context, async () => {
    const [pod] = await podsOf(context, service, image);
    if (!pod) return `no pod of ${image} has been made`;
    reason = await whyUnready(context, pod);
    return reason === undefined ? `nothing is known against the pod ${pod.metadata.name} yet` : undefined;
  });
  return { service, commit, since, image, reason: reason ?? '', old };
}

/** The pods of the service that run an image, those on their way out aside. */
async function podsOf(context: Context, service: DrillService, image: string): Promise<Pod[]> {
  return (await podsOfService(context, service)).filter(({ spec }) => runs(spec, image));
}

function runs({ containers }: PodSpec, image: string): boolean {
  return containers.some((container) => container.image === image);
}

async function badImageName(context: Context, { name }: DrillService): Promise<string> {
  const image = (await imagesAtHead(context)).get(name) ?? '';
  return `${image.slice(0, image.lastIndexOf(':'))}:${badTag}`;
}

/** In words, or undefined while it may be starting. */
async function whyUnready(context: Context, pod: Pod): Promise<string | undefined> {
  if (isReady(pod)) return undefined;
  const trouble = podProblemOf(pod);
  if (trouble) return trouble.reason;
  const { name, namespace = '' } = pod.metadata;
  return (await eventsOf(context, namespace, name)).findLast(({ reason }) => reason === 'Unhealthy')?.message;
}

/**
 * Deletes what a bad release leaves behind once its Application is back: its pods, which never served and need no time to
 * say goodbye, and its place in the history of rollouts, so that `kubectl rollout undo` does not lead there. In this order: a
 * disruption budget that finds a pod without its owner makes the Application Degraded.
 */
async function undoBadRelease(context: Context): Promise<void> {
  await restoreFromGit(context);
  const { front: service } = await drillServices(context);
  if (service === undefined) return;
  const { name: deployment, namespace } = service;
  const image = await badImageName(context, service);
  // You may try the image by hand in that namespace.
  const pods = async () => {
    const all = await context.api().list<Pod>('v1', 'Pod', namespace);
    const bad = all.filter(({ spec }) => runs(spec, image));
    return deployedPods(context, bad);
  };
  await startDeleting(context, await pods(), shortGracePeriod);
  await waitForState(context, async () => {
    const [pod] = await pods();
    return pod && `the bad pod ${pod.metadata.name} is still ending`;
  });
  const sets = (await context.api().list<Workload>('apps/v1', 'ReplicaSet', namespace)).filter(
    ({ spec, metadata }) =>
      spec.replicas === 0 &&
      runs(spec.template.spec, image) &&
      metadata.ownerReferences?.some(({ kind }) => kind === 'Deployment') &&
      isOfService(deployment)({ metadata, apiVersion: 'apps/v1', kind: 'ReplicaSet' }),
  );
  await startDeleting(context, sets, shortGracePeriod);
}

/** Removes the bad image from the node, where it is a stub. */
async function removeBadImage(context: Context): Promise<void> {
  if (context.target !== undefined) return;
  const { front } = await drillServices(context);
  const stubs = await stubsAmong(context, front ? [await badImageName(context, front)] : []);
  if (stubs.size > 0) await removeStubs(context, stubs);
}
