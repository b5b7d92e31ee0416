import { notReadyReason, sourceDifference } from '../../components/applications.ts';
import { askIngress, siteUrl } from '../../components/routes.ts';
import { apiSite, hasRoute, infoOf, type ServiceInfo } from '../../components/services.ts';
import type { Context } from '../../images/context.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import type { EndpointSlice, Pod, Workload } from '../../kubernetes/types.ts';
import { containerImage, isReady, missingOf, selects } from '../../kubernetes/workloads.ts';
import { UserError } from '../../lib/errors.ts';
import { shortSha } from '../../lib/git/checkout.ts';
import { type Application, applicationsNow, servicesNamespace } from '../../repository/applications.ts';

/** How far a Deployment is with what was synced last. */
export interface Rollout {
  /** What it still misses, or undefined. */
  missing: string | undefined;
  /** The pods of its newest template that were made since then and are not on their way out. */
  fresh: Pod[];
  /** The ready pods of earlier templates. */
  old: Pod[];
  /** The image of the newest template, and of the one before it. */
  image: string | undefined;
  before: string | undefined;
}

/** A Deployment counts its templates here; one that comes back, as in a revert, gets the next number. */
const revisionAnnotation = 'deployment.kubernetes.io/revision';
const templateHashLabel = 'pod-template-hash';

/**
 * Reads a roll-out off the objects. `since` is when the sync began that it is of (whole seconds, as Kubernetes writes
 * times); without it no pod counts as new. Undefined where the Application has no Deployment.
 */
export function rolloutOf(
  { deployment, replicaSets, pods }: ApplicationState,
  since: string | undefined,
): Rollout | undefined {
  if (!deployment) return undefined;
  const { name } = deployment.metadata;
  const [current, earlier] = [...replicaSets].sort((a, b) => numberOf(b) - numberOf(a));
  const isCurrent = ({ metadata }: Pod) =>
    metadata.labels?.[templateHashLabel] === current?.metadata.labels?.[templateHashLabel];
  const staying = pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  return {
    missing: missingOf(deployment),
    fresh: staying.filter(
      (pod) => since !== undefined && isCurrent(pod) && (pod.metadata.creationTimestamp ?? '') >= since,
    ),
    old: staying.filter((pod) => !isCurrent(pod) && isReady(pod)),
    image: current && containerImage(current.spec.template.spec, name),
    before: earlier && containerImage(earlier.spec.template.spec, name),
  };
}

function numberOf({ metadata }: ReplicaSet): number {
  return Number(metadata.annotations?.[revisionAnnotation] ?? 0);
}

/** A set of pods of one template, as a Deployment makes one for each. */
export type ReplicaSet = Workload;

/** An Application at one moment, with its Deployment and what there is of that. */
export interface ApplicationState {
  application: Application;
  deployment: Workload | undefined;
  replicaSets: ReplicaSet[];
  pods: Pod[];
}

/** Milliseconds that a look counts for all who ask. Below the interval of waiting, so that nobody sees the same twice. */
const cacheMs = 300;

/** Makes what looks at all Applications at once, for those who wait for one of them each. Throws `ApiError` and `Unreachable`. */
export function createObserver(context: Context): () => Promise<ApplicationState[]> {
  let last: { at: number; sights: Promise<ApplicationState[]> } | undefined;
  return () => {
    if (!last || Date.now() - last.at > cacheMs) last = { at: Date.now(), sights: readStates(context) };
    return last.sights;
  };
}

async function readStates(context: Context): Promise<ApplicationState[]> {
  // In this order: what says that it was synced must not be seen beside a Deployment of before that.
  const applications = await applicationsNow(context);
  const api = context.api();
  const [deployments, replicaSets, pods] = await Promise.all([
    api.list<Workload>('apps/v1', 'Deployment', servicesNamespace),
    api.list<ReplicaSet>('apps/v1', 'ReplicaSet', servicesNamespace),
    api.list<Pod>('v1', 'Pod', servicesNamespace),
  ]);
  return applications.map((application) => {
    const deployment = deployments.find(({ metadata }) => metadata.name === application.metadata.name);
    const ofDeployment = ({ metadata }: KubeObject) =>
      metadata.ownerReferences?.some(({ uid }) => uid === deployment?.metadata.uid) ?? false;
    return {
      application,
      deployment,
      replicaSets: replicaSets.filter(ofDeployment),
      pods: pods.filter(({ metadata }) => selects(deployment?.spec.selector.matchLabels, metadata)),
    };
  });
}

/** Whether Argo CD has compared the commit with the cluster, rendered from the source that is wanted. */
export function isCompared(application: Application, source: Application['spec']['source'], commit: string): boolean {
  return application.status?.sync?.revision === commit && sourceDifference(application, source) === undefined;
}

/** What keeps a commit from being synced, as a sentence; undefined once the cluster is as it says, also where it was before. */
export function notSyncedReason(application: Application, commit: string): string | undefined {
  const { metadata, operation, status } = application;
  const { phase, message, operation: begun } = status?.operationState ?? {};
  if (operation || phase === 'Running') {
    const revision = operation?.sync?.revision ?? begun?.sync?.revision;
    const what = revision && revision !== commit ? ` (${shortSha(revision)} is)` : '';
    return `Application ${metadata.name} is being synced${what}${message ? `: ${message}` : ''}`;
  }
  if (status?.sync?.status === 'Synced' && status.sync.revision === commit) return undefined;
  return `Application ${metadata.name} is ${notReadyReason(application, commit)}`;
}

/** The commit that Argo CD applied last, whatever came of it. */
export function lastSyncedCommit({ status }: Application): string | undefined {
  return status?.operationState?.syncResult?.revision;
}

export interface IngressAnswer {
  url: string;
  /** The version that the answer tells, if any. */
  version?: string;
  /** How it is known to be of the new pods: by its version, or because only new pods were endpoints then. */
  by: 'version' | 'endpoints';
  /** How many old pods were still there then, which answer for some seconds on connections that are kept open. */
  draining?: number;
}

/** The first answer of new pods through the ingress, why there is none yet, or neither of a service without a route. */
export interface AnswerResult {
  answer?: IngressAnswer;
  missing?: string;
}

/**
 * Asks a service through the ingress, once. An answer is one of the new pods if it tells the version of their image and
 * the pods before them ran another one; otherwise if only new pods were endpoints when it was asked. Never throws for what
 * does not answer.
 */
export async function askNewPods(context: Context, service: string, rollout: Rollout): Promise<AnswerResult> {
  const site = hasRoute(service) ? await apiSite(context).catch(ignoreUserError) : undefined;
  if (!site) return {};
  const others = await otherPods(context, service, rollout);
  const { body, missing } = await askIngress(context, site, '/info');
  if (missing !== undefined) return { missing };
  const part = infoOf(service, infoIn(body));
  const url = `${siteUrl(context, site)}/info`;
  if (!part) return { missing: `${url} answers without ${service}'s answer in it` };
  return judgeAnswer({ url, ...(part.version !== undefined && { version: part.version }) }, rollout, others);
}

/** Pods behind a service that are none of the new ones, by name. */
interface OtherPods {
  /** Requests are sent to these. */
  endpoints: readonly string[];
  /** These were told to stop, and until they do, answer on connections that are kept open. */
  draining: readonly string[];
}

/** Whether an answer is one of the new pods. */
export function judgeAnswer(
  told: Pick<IngressAnswer, 'url' | 'version'>,
  { image, before }: Rollout,
  others: OtherPods,
): AnswerResult {
  const [tag, earlier] = [tagOf(image), tagOf(before)];
  const { endpoints, draining } = others;
  const leaving = draining.length > 0 && { draining: draining.length };
  if (told.version !== undefined && told.version === tag && tag !== earlier)
    return { answer: { ...told, by: 'version', ...leaving } };
  if (endpoints.length > 0) return { missing: `${told.url} may still be answered by ${endpoints.join(' and ')}` };
  // The ingress learns of endpoints a few seconds after they change.
  if (told.version !== undefined && told.version === earlier && tag !== earlier)
    return { missing: `${told.url} still answers with version ${earlier}` };
  return { answer: { ...told, by: 'endpoints', ...leaving } };
}

async function otherPods(context: Context, service: string, { fresh }: Rollout): Promise<OtherPods> {
  const slices = await context.api().list<EndpointSlice>('discovery.k8s.io/v1', 'EndpointSlice', servicesNamespace);
  const others = slices
    .filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === service)
    .flatMap(({ endpoints }) => endpoints ?? [])
    .filter(({ targetRef }) => !fresh.some(({ metadata }) => metadata.name === targetRef?.name));
  const isReady = ({ conditions }: (typeof others)[number]) => conditions?.ready !== false;
  const names = (chosen: typeof others) => chosen.flatMap(({ targetRef }) => targetRef?.name ?? []);
  return {
    endpoints: names(others.filter(isReady)),
    draining: names(others.filter((one) => !isReady(one) && one.conditions?.serving !== false)),
  };
}

function infoIn(body: string): ServiceInfo {
  try {
    return JSON.parse(body) as ServiceInfo;
  } catch {
    // No JSON: it has nobody's part in it.
    return {};
  }
}

function tagOf(image: string | undefined): string | undefined {
  return image?.slice(image.lastIndexOf(':') + 1);
}

/** Without a host for it in the values there is no way to ask. */
function ignoreUserError(error: unknown): undefined {
  if (error instanceof UserError) return undefined;
  throw error;
}
