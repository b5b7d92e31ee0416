import type { ContainerStatus, Pod } from '../types.ts';
import { isReady } from '../workloads.ts';

/** Why a pod doesn't get ready, as far as the pod itself tells. */
export interface PodProblem {
  pod: string;
  namespace: string;
  container: string | undefined;
  /** Kubernetes' own word for it, as in ImagePullBackOff. */
  reason: string;
  message: string;
  /** Milliseconds after which it is not worth waiting on: it does not mend itself. */
  patience: number;
  hint: string;
  /** As in `UserError`. */
  errorId?: string;
}

interface KnownProblem {
  errorId: string;
  reasons: string[];
  patience: number;
  hint: (image: string, message: string) => string;
}

export const diskNearlyFull =
  'The disk that Docker keeps its images on is nearly full: docker system df shows what it holds, docker system prune removes what is unused. Then npm run up.';
export const outOfMemory = 'The node is out of memory: give Docker more, or end what takes it. Then npm run up.';

/** The known reasons, with how long each may last in a healthy start, and what to do about it. */
const knownProblems: KnownProblem[] = [
  {
    errorId: 'image-not-pulled',
    reasons: ['ErrImagePull', 'ImagePullBackOff', 'ErrImageNeverPull', 'InvalidImageName', 'ImageInspectError'],
    patience: 20_000,
    hint: (image) =>
      image.startsWith('ghcr.io/')
        ? 'npm run credentials says whether the token may read it and whether the tag exists, and has it pulled again at once.'
        : 'Check that the node reaches the registry, then: npm run up',
  },
  {
    errorId: 'pod-crashes',
    reasons: ['CrashLoopBackOff', 'RunContainerError', 'CreateContainerError', 'StartError'],
    patience: 45_000,
    hint: () => 'The log above is the place to start; a commit that fixes it, or git revert, deploys at once.',
  },
  {
    errorId: 'pod-config-missing',
    reasons: ['CreateContainerConfigError'],
    patience: 30_000,
    hint: () => 'A ConfigMap or Secret that the pod names is missing; npm run up creates those of the platform.',
  },
  {
    errorId: 'pod-unschedulable',
    reasons: ['Unschedulable'],
    patience: 30_000,
    hint: (_image, message) =>
      /disk-pressure/.test(message)
        ? diskNearlyFull
        : 'Give Docker more memory or CPUs, or lower the requests in the values.',
  },
  {
    errorId: 'pod-evicted',
    reasons: ['Evicted'],
    // The pod in its place may well be on its way, once the node has room again.
    patience: 60_000,
    hint: (_image, message) => (/memory/i.test(message) ? outOfMemory : diskNearlyFull),
  },
  {
    errorId: 'pod-out-of-memory',
    reasons: ['OOMKilled'],
    patience: 45_000,
    hint: () => 'Raise resources.limits.memory in its values; if many pods die so, give Docker more memory.',
  },
];

/** Whether the reason for which a container waits is that its image could not be pulled so far. */
export function isPullFailure(reason: string | undefined): boolean {
  return reason === 'ErrImagePull' || reason === 'ImagePullBackOff';
}

/**
 * A pod that the kubelet put out of the node, or did not let in, stays, as a record, beside the one that takes its place. Only what happened in
 * the last minutes has to do with this start.
 */
function evicted({ status, metadata }: Pod): boolean {
  const put = status.conditions?.find(({ type, status: holds }) => type === 'DisruptionTarget' && holds === 'True');
  return status.reason === 'Evicted' && isRecent(put?.lastTransitionTime ?? metadata.creationTimestamp);
}

/** Restarts also count up each time the node is stopped: only a crash of the last minutes is one of this start. */
function crashedLately({ lastState }: ContainerStatus): boolean {
  return isRecent(lastState?.terminated?.finishedAt);
}

function isRecent(stamp: string | undefined): boolean {
  return Date.now() - Date.parse(stamp ?? '') < 300_000;
}

/** A container that was started so often and is still not ready is crashing, whatever it does at this moment. */
const manyRestarts = 3;

/** What is wrong with a pod, or undefined while it may simply be starting. */
export function podProblemOf(pod: Pod): PodProblem | undefined {
  if (isReady(pod) || pod.metadata.deletionTimestamp) return undefined;
  const of = (reason: string, message: string, status?: ContainerStatus): PodProblem | undefined => {
    const kind = knownProblems.find(({ reasons }) => reasons.includes(reason));
    if (!kind) return undefined;
    const { name, namespace = 'default' } = pod.metadata;
    return {
      pod: name,
      namespace,
      container: status?.name,
      reason,
      message,
      errorId: kind.errorId,
      patience: kind.patience,
      hint: kind.hint(status?.image ?? '', message),
    };
  };
  if (evicted(pod)) return of('Evicted', pod.status.message ?? '');
  const unscheduled = pod.status.conditions?.find(
    (condition) => condition.type === 'PodScheduled' && condition.status === 'False',
  );
  if (unscheduled) return of(unscheduled.reason ?? '', unscheduled.message ?? '');
  for (const status of [...(pod.status.initContainerStatuses ?? []), ...(pod.status.containerStatuses ?? [])]) {
    const { waiting } = status.state;
    // "CrashLoopBackOff" would not tell that it was no fault of the program's.
    if (status.restartCount > 0 && status.lastState?.terminated?.reason === 'OOMKilled' && crashedLately(status))
      return of('OOMKilled', `it took more memory than it may, and was killed ${status.restartCount} times`, status);
    const problem = waiting && of(waiting.reason ?? '', waiting.message ?? '', status);
    if (problem) return problem;
    // Between two crashes it runs for a moment, which is no recovery.
    if (status.restartCount >= manyRestarts && !status.ready && crashedLately(status))
      return of('CrashLoopBackOff', `restarted ${status.restartCount} times`, status);
  }
  return undefined;
}
