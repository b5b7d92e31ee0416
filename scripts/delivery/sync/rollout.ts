import { notReadyReason, sourceDifference } from '../../components/applications.ts';
import { askIngress, siteUrl } from '../../components/routes.ts';
import { findApiSite, infoOf, missingPart } from '../../components/services.ts';
import type { Context } from '../../images/context.ts';
import { listIn } from '../../kubernetes/api/api.ts';
import { type KubeObject, nameOf } from '../../kubernetes/objects.ts';
import type { EndpointSlice, Pod, Workload } from '../../kubernetes/types.ts';
import { containerImage, isOfService, isReady, missingOf, selects } from '../../kubernetes/workloads.ts';
import { UserError } from '../../lib/errors.ts';
import { shortSha } from '../../lib/git/checkout.ts';
import {
  type Application,
  applicationsNow,
  deploymentOf,
  isAtCommit,
  namespacesOf,
} from '../../repository/applications.ts';

/** Argo CD compared the commit; it applied the objects; a new pod is ready; it answers; Prometheus sees all new ones. */
export const stages = ['seen', 'synced', 'ready', 'answering', 'scraped'] as const;
export type Stage = (typeof stages)[number];

/** An Application at one moment, with its Deployment and what there is of that. */
export interface ApplicationState {
  application: Application;
  deployment: Workload | undefined;
  replicaSets: Workload[];
  pods: Pod[];
}

/** Milliseconds that a look counts for all who ask. Below the interval of waiting, so that none sees the same twice. */
const cacheMs = 300;

/** Makes what looks at all Applications at once, for those who wait for one of them each. Throws `ApiError` and `Unreachable`. */
export function createObserver(context: Context): () => Promise<ApplicationState[]> {
  let last: { at: number; states: Promise<ApplicationState[]> } | undefined;
  return () => {
    if (!last || Date.now() - last.at > cacheMs) last = { at: Date.now(), states: readStates(context) };
    return last.states;
  };
}

async function readStates(context: Context): Promise<ApplicationState[]> {
  // In this order: what says that it was synced must not be seen beside a Deployment of before that, nor one that is
  // complete beside pods of before that.
  const applications = await applicationsNow(context);
  const namespaces = namespacesOf(applications);
  const list = <T extends KubeObject>(apiVersion: string, kind: string) =>
    listIn<T>(context.api(), apiVersion, kind, namespaces);
  const deployments = await list<Workload>('apps/v1', 'Deployment');
  const [replicaSets, pods] = await Promise.all([list<Workload>('apps/v1', 'ReplicaSet'), list<Pod>('v1', 'Pod')]);
  return applications.map((application) => {
    const deployment = deploymentOf(application, deployments);
    const ofDeployment = ({ metadata }: KubeObject) =>
      metadata.ownerReferences?.some(({ uid }) => uid === deployment?.metadata.uid) ?? false;
    return {
      application,
      deployment,
      replicaSets: replicaSets.filter(ofDeployment),
      pods: pods.filter(
        ({ metadata }) =>
          metadata.namespace === deployment?.metadata.namespace &&
          selects(deployment?.spec.selector.matchLabels, metadata),
      ),
    };
  });
}

/** How far a commit is in an Application, as far as the objects tell. */
export interface Standing {
  /** The stages that are reached, of the first three. */
  reached: Stage[];
  /** What it still misses, as a sentence, or undefined. */
  missing: string | undefined;
  /** The pods that were made for it, which have to answer and be scraped. None where nothing had to restart. */
  proving: Pod[];
  /** How far the Deployment is, once the commit is synced; undefined where the Application has none. */
  rollout?: Rollout | undefined;
}

/**
 * Judges how far a commit is.
 * @param commit undefined where the Application has no source in this repository.
 * @param wanted the Application as it should be registered.
 * @param changed whether the last sync was one of a followed commit.
 */
export function standingOf(
  state: ApplicationState,
  { commit, wanted, changed }: { commit: string | undefined; wanted: Application; changed: boolean },
): Standing {
  const { application, deployment } = state;
  const { metadata, status } = application;
  const title = `Application ${metadata.name}`;
  if (!status?.sync || !isAtCommit(application, commit) || sourceDifference(application, wanted) !== undefined) {
    const reason = notReadyReason(application, commit) ?? 'not compared yet with its new source';
    return { reached: [], missing: `${title} is ${reason}`, proving: [] };
  }
  const unsynced = notSyncedReason(application, commit);
  if (unsynced !== undefined) return { reached: ['seen'], missing: `${title} is ${unsynced}`, proving: [] };
  const rollout = rolloutOf(state, syncBeganAt(application));
  // Of pods that an earlier commit made it is only asked that they are ready.
  const fresh = changed && rollout ? rollout.fresh : [];
  const reached: Stage[] = ['seen', 'synced', ...(fresh.some(isReady) ? (['ready'] as const) : [])];
  const missing =
    rollout?.missing && deployment && `${nameOf({ ...deployment, kind: 'Deployment' })}: ${rollout.missing}`;
  return { reached, missing, proving: missing === undefined ? fresh : [], rollout };
}

/** What keeps a commit from being synced; undefined once the cluster is as it says, also where it was before. */
function notSyncedReason(application: Application, commit: string | undefined): string | undefined {
  const { operation, status } = application;
  const { phase, message, operation: begun } = status?.operationState ?? {};
  if (!operation && phase !== 'Running')
    return status?.sync?.status === 'Synced' ? undefined : notReadyReason(application, commit);
  const revision = operation?.sync?.revision ?? begun?.sync?.revision;
  const what = revision && revision !== commit ? ` (${shortSha(revision)} is)` : '';
  return `being synced${what}${message ? `: ${message}` : ''}`;
}

/** The commit that Argo CD applied last, whatever came of it. */
export function lastSyncedCommit({ status }: Application): string | undefined {
  return status?.operationState?.syncResult?.revision;
}

/**
 * When Argo CD first began to sync the commit that it applied last. It may do so more than once, as where an object differed
 * again right after: the pods that the first time made are of the same commit.
 * @returns a time as Kubernetes writes it, or undefined where nothing was synced.
 */
function syncBeganAt({ status }: Application): string | undefined {
  const { startedAt, syncResult } = status?.operationState ?? {};
  const history = status?.history ?? [];
  const earlier = history.findLastIndex(({ revision }) => revision !== syncResult?.revision);
  const times = [startedAt, ...history.slice(earlier + 1).map(({ deployStartedAt }) => deployStartedAt)];
  return times.filter((time) => time !== undefined).toSorted()[0];
}

/** How far a Deployment is with what was synced last. */
export interface Rollout {
  /** What it still misses, or undefined. */
  missing: string | undefined;
  /** The pods of its newest template that were made since then and are not terminating. */
  fresh: Pod[];
  /** The ready pods of earlier templates. */
  old: Pod[];
  /** The image of the newest template, and of the one before it. */
  image: string | undefined;
  before: string | undefined;
}

/**
 * Reads a rollout off the objects. `since` is when the sync began that it is of (whole seconds, as Kubernetes writes
 * times); without it no pod counts as new. Undefined where the Application has no Deployment.
 */
export function rolloutOf({ deployment, replicaSets, pods }: ApplicationState, since?: string): Rollout | undefined {
  if (!deployment) return undefined;
  const { name } = deployment.metadata;
  // A Deployment counts its templates; one that comes back, as in a revert, gets the next number.
  const numberOf = ({ metadata }: Workload) => Number(metadata.annotations?.['deployment.kubernetes.io/revision'] ?? 0);
  const [current, earlier] = replicaSets.toSorted((one, other) => numberOf(other) - numberOf(one));
  const hashOf = (object?: KubeObject) => object?.metadata.labels?.['pod-template-hash'];
  const isCurrent = (pod: Pod) => hashOf(pod) === hashOf(current);
  const isNew = ({ metadata }: Pod) => since !== undefined && (metadata.creationTimestamp ?? '') >= since;
  const staying = pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  return {
    missing: missingOf(deployment),
    fresh: staying.filter((pod) => isNew(pod) && isCurrent(pod)),
    old: staying.filter((pod) => !isCurrent(pod) && isReady(pod)),
    image: current && containerImage(current.spec.template.spec, name),
    before: earlier && containerImage(earlier.spec.template.spec, name),
  };
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

/**
 * Asks a service through the ingress, once. An answer is one of the new pods if it tells the version of their image and
 * the pods before them ran another one; otherwise if only new pods were endpoints when it was asked. Never throws for what
 * does not answer.
 * @returns the first answer of new pods, why there is none yet as a sentence, or undefined for a service without a route.
 */
export async function askNewPods(
  context: Context,
  service: string,
  rollout: Rollout,
): Promise<IngressAnswer | string | undefined> {
  // Without a host for it in the values there is no way to ask.
  const site = await findApiSite(context).catch((error: unknown) => {
    if (!(error instanceof UserError)) throw error;
  });
  if (!site || ![site.service, site.upstream].includes(service)) return undefined;
  const others = await otherPods(context, service, rollout);
  const { body, missing } = await askIngress(context, site, '/info');
  const lacking = missing ?? missingPart(context, site, body);
  if (lacking !== undefined) return lacking;
  const part = infoOf(service === site.service ? 'itself' : 'upstream', body);
  const url = `${siteUrl(context, site)}/info`;
  // Another program may keep to itself what it was told.
  if (!part) return undefined;
  return judgeAnswer({ url, ...(part.version !== undefined && { version: part.version }) }, rollout, others);
}

/** Pods behind a service that are none of the new ones, by name. */
interface OtherPods {
  /** Requests are sent to these. */
  endpoints: readonly string[];
  /** These were told to stop, and until they do, answer on connections that are kept open. */
  draining: readonly string[];
}

async function otherPods(context: Context, service: string, { fresh }: Rollout): Promise<OtherPods> {
  const { namespace } = fresh[0]?.metadata ?? {};
  const slices = await context.api().list<EndpointSlice>('discovery.k8s.io/v1', 'EndpointSlice', namespace);
  const others = slices
    // A slice has a name of its own, and the labels of its Service.
    .filter((one) => one.metadata.labels?.['kubernetes.io/service-name'] === service || isOfService(service)(one))
    .flatMap(({ endpoints }) => endpoints ?? [])
    .filter(({ targetRef }) => !fresh.some(({ metadata }) => metadata.name === targetRef?.name));
  const namesOf = (ready: boolean) =>
    others
      .filter(({ conditions }) => (conditions?.ready !== false) === ready && (ready || conditions?.serving !== false))
      .flatMap(({ targetRef }) => targetRef?.name ?? []);
  return { endpoints: namesOf(true), draining: namesOf(false) };
}

/** @returns the answer, with what tells that it is one of the new pods, or why it may not be one. */
export function judgeAnswer(
  told: Pick<IngressAnswer, 'url' | 'version'>,
  { image, before }: Rollout,
  { endpoints, draining }: OtherPods,
): IngressAnswer | string {
  const tagOf = (name?: string) => name?.slice(name.lastIndexOf(':') + 1);
  const [tag, earlier] = [tagOf(image), tagOf(before)];
  const leaving = draining.length > 0 && { draining: draining.length };
  const { url, version } = told;
  if (version !== undefined && version === tag && tag !== earlier) return { ...told, by: 'version', ...leaving };
  if (endpoints.length > 0) return `${url} may still be answered by ${endpoints.join(' and ')}`;
  // The ingress learns of endpoints a few seconds after they change.
  if (version !== undefined && version === earlier && tag !== earlier)
    return `${url} still answers with version ${earlier}`;
  return { ...told, by: 'endpoints', ...leaving };
}
