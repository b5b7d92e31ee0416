import { notReadyReason } from '../../components/applications.ts';
import { retryPullsOfPresent } from '../../components/pull-secret.ts';
import type { Context } from '../../images/context.ts';
import { explainPodProblem } from '../../kubernetes/explain/explain.ts';
import { isPullFailure, type PodProblem, podProblemOf } from '../../kubernetes/explain/pod-problem.ts';
import type { KubeEvent, Pod, Workload } from '../../kubernetes/types.ts';
import type { Blocker } from '../../kubernetes/waiting/ready.ts';
import { UserError } from '../../lib/errors.ts';
import { shortSha } from '../../lib/git/checkout.ts';
import { counted } from '../../lib/text.ts';
import type { Application } from '../../repository/applications.ts';
import type { Rollout } from './rollout.ts';

/** Milliseconds. A rollout is judged sooner than a platform that starts: what a new pod needs is running already. */
const timeoutMs = {
  /** An object that was refused for a reason that may pass, as by a webhook that does not answer. */
  passing: 45_000,
  /** What the sync brings itself, as a ConfigMap, is there before the pod; the kubelet may see it a moment later. */
  config: 5_000,
  /** A registry that said no, of an image that the node does not have either. */
  refusedImage: 5_000,
  /** A quota may have to take note first that an old pod is gone. */
  noPod: 10_000,
  /** Argo CD's own judgement of objects that are no pods. */
  sick: 30_000,
};
/** Milliseconds for which a pod counts as one that starts for the first time: later, the node may have been restarted. */
const newPodMs = 600_000;
const transientError =
  /failed calling webhook|timed? ?out|deadline exceeded|connection refused|etcdserver|too many requests/i;
const refusedImage = /not ?found|denied|unauthorized|forbidden|40[134]|manifest unknown/i;
/** What a program does by itself: nothing on this machine can mend it. */
const programErrors = new Set(['CrashLoopBackOff', 'Unhealthy', 'StartError', 'RunContainerError']);
const probeKill = /failed (startup|liveness) probe/;

/** A sync of one of these commits that Argo CD could not carry out: an object was refused, or is not allowed. */
export function syncFaults(
  context: Context,
  { metadata, status }: Application,
  followed: ReadonlySet<string>,
): Blocker[] {
  const { phase, message = '', finishedAt, operation, syncResult } = status?.operationState ?? {};
  const revision = syncResult?.revision ?? operation?.sync?.revision ?? '';
  // It may be tried again, up to five times; then it stays in the phase Running, with the time of its failure.
  const failed = phase === 'Failed' || phase === 'Error' || (phase === 'Running' && finishedAt !== undefined);
  if (!failed || !followed.has(revision)) return [];
  const refused = (syncResult?.resources ?? []).filter((one) => one.status === 'SyncFailed');
  const reasons = refused.map((one) => `${one.kind} ${one.name}: ${one.message ?? 'no reason given'}`);
  const told = reasons.length > 0 ? reasons : [message];
  const sentence = [`${metadata.name} could not be synced at ${shortSha(revision)}.`, ...told].join('\n  ');
  const mayPass = told.every((one) => transientError.test(one));
  return [
    {
      key: `${metadata.name} not synced`,
      patience: mayPass ? timeoutMs.passing : 0,
      explain: () => new UserError(sentence, { id: 'not-synced', hint: revertHint(context, revision) }),
    },
  ];
}

/** What keeps new pods from getting ready, as far as it doesn't mend itself. `events` are those of the pods. */
export function rolloutFaults(
  context: Context,
  application: Application,
  rollout: Rollout,
  {
    deployment,
    events,
    commit,
  }: { deployment: Pick<Workload, 'status'>; events: readonly KubeEvent[]; commit: string },
): Blocker[] {
  const { name } = application.metadata;
  const back = revertHint(context, commit, { service: name, ...rollout });
  const stuck = `${name} does not roll out at ${shortSha(commit)}`;
  const serving = servingLine(rollout);
  const faults = rollout.fresh.flatMap((pod): Blocker[] => {
    const problem = killedByProbe(pod, events) ?? podProblemOf(pod);
    if (!problem) return [];
    const hint = programErrors.has(problem.reason) ? back : `${problem.hint} Or ${back}`;
    return [
      {
        key: `${pod.metadata.uid} ${problem.reason}`,
        patience: timeoutFor(pod, problem),
        // The image itself is seen to before the commit is followed.
        mend: isPullFailure(problem.reason) ? () => retryPullsOfPresent(context) : undefined,
        async explain() {
          const cause = await explainPodProblem(context, stuck, { ...problem, hint });
          return new UserError(`${cause.message}\n  ${serving}`, { hint: cause.hint, cause });
        },
      },
    ];
  });
  const told = (key: string, patience: number, sentence: string) =>
    faults.push({
      key: `${name} ${key}`,
      patience,
      explain: () => new UserError(`${sentence}\n  ${serving}`, { hint: back }),
    });
  const noPod = deployment.status?.conditions?.find((one) => one.type === 'ReplicaFailure' && one.status === 'True');
  if (noPod) told('makes no pod', timeoutMs.noPod, `${stuck}.\n  ${noPod.reason}: ${noPod.message}`);
  if (application.status?.health?.status === 'Degraded')
    told('is degraded', timeoutMs.sick, `${name} is ${notReadyReason(application)}.`);
  return faults;
}

/**
 * A container that the kubelet gave up: it had all the time that its startup probe allows, and is killed. It is started
 * again and may fail in the same way for ever without ever being in a back-off.
 */
function killedByProbe({ metadata, spec }: Pod, events: readonly KubeEvent[]): PodProblem | undefined {
  const own = events.filter(({ involvedObject }) => involvedObject?.uid === metadata.uid);
  const killed = own.find(({ reason, message }) => reason === 'Killing' && probeKill.test(message ?? ''));
  if (!killed) return undefined;
  return {
    pod: metadata.name,
    namespace: metadata.namespace ?? 'default',
    container: /Container (\S+) failed/.exec(killed.message ?? '')?.[1] ?? spec.containers[0]?.name,
    reason: 'Unhealthy',
    message: lastProbe(own)?.message ?? killed.message ?? '',
    patience: 0,
    hint: '',
  };
}

/** What a probe of a pod said last, and how often it failed. */
function lastProbe(events: readonly KubeEvent[]): KubeEvent | undefined {
  return events
    .filter(({ reason }) => reason === 'Unhealthy')
    .sort((a, b) => (a.lastTimestamp ?? '').localeCompare(b.lastTimestamp ?? ''))
    .at(-1);
}

function timeoutFor({ metadata }: Pod, problem: PodProblem): number {
  if (Date.now() - Date.parse(metadata.creationTimestamp ?? '') > newPodMs) return problem.patience;
  // A back-off comes with the second crash, and the platform that it needs is running.
  if (['CrashLoopBackOff', 'OOMKilled'].includes(problem.reason)) return 0;
  if (problem.reason === 'CreateContainerConfigError') return timeoutMs.config;
  if (/Image/.test(problem.reason) && refusedImage.test(problem.message)) return timeoutMs.refusedImage;
  return problem.patience;
}

/** What to type to undo a commit; for a new image also the way back to the one before it. */
function revertHint(
  { config }: Context,
  commit: string,
  service?: { service: string } & Pick<Rollout, 'image' | 'before'>,
): string {
  const push = config.gitops ? ' && git push' : '';
  const revert = `git revert --no-edit ${shortSha(commit)}${push}`;
  const promoted = service?.before !== undefined && service.image !== service.before;
  return promoted ? `npm run rollback -- ${service.service}, or ${revert}` : revert;
}

/** Who answers meanwhile. */
function servingLine({ old, before }: Pick<Rollout, 'old' | 'before'>): string {
  if (old.length === 0) return 'None of its old pods is ready.';
  return `${counted(old.length, 'old pod')} still serving${before === undefined ? '' : `, with ${before}`}.`;
}

/** A program that is still starting refuses a probe or two. */
const manyFailures = 5;

/**
 * Makes what tells, once for each pod and reason, that a probe keeps failing: the kubelet gives a start a minute before it
 * gives up, and you may know the reason by then.
 */
export function createWarnings(note: (text: string) => void): (pod: Pod, events: readonly KubeEvent[]) => void {
  const told = new Set<string>();
  return ({ metadata }, events) => {
    const probe = lastProbe(events.filter(({ involvedObject }) => involvedObject?.uid === metadata.uid));
    if (!probe || (probe.count ?? 1) < manyFailures) return;
    const text = `! ${metadata.name}: ${probe.message}`;
    if (!told.has(text)) note(text);
    told.add(text);
  };
}
