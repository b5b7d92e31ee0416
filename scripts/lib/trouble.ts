import { type ContainerStatus, isReady, type Pod } from './workloads.ts';

/** Why a pod doesn't get ready, as far as the pod itself tells. */
export interface Trouble {
  pod: string;
  namespace: string;
  container: string | undefined;
  /** Kubernetes' own word for it, as in ImagePullBackOff. */
  reason: string;
  message: string;
  /** Milliseconds after which it is not worth waiting on: it does not mend itself. */
  patience: number;
  hint: string;
}

interface Kind {
  reasons: string[];
  patience: number;
  hint: (pod: string, image: string) => string;
}

/** The known reasons, with how long each may last in a healthy start, and what to do about it. */
const kinds: Kind[] = [
  {
    reasons: ['ErrImagePull', 'ImagePullBackOff', 'ErrImageNeverPull', 'InvalidImageName', 'ImageInspectError'],
    patience: 20_000,
    hint: (_pod, image) =>
      image.startsWith('ghcr.io/')
        ? 'Check that the tag exists and that GITHUB_TOKEN is a classic token with read:packages for its owner; without a token stand-ins are used. Then: npm run up'
        : 'Check that the node reaches the registry, then: npm run up',
  },
  {
    reasons: ['CrashLoopBackOff', 'RunContainerError', 'CreateContainerError', 'StartError'],
    patience: 45_000,
    hint: () => 'The log above is the place to start; a commit that fixes it, or git revert, deploys at once.',
  },
  {
    reasons: ['CreateContainerConfigError'],
    patience: 30_000,
    hint: () => 'A ConfigMap or Secret that the pod names is missing; npm run up creates those of the platform.',
  },
  {
    reasons: ['Unschedulable'],
    patience: 30_000,
    hint: () => 'Give Docker more memory or CPUs, or lower the requests in the values.',
  },
];

/** Restarts also count up each time the node is stopped: only a crash of the last minutes is one of this start. */
function crashedLately({ lastState }: ContainerStatus): boolean {
  const finished = Date.parse(lastState?.terminated?.finishedAt ?? '');
  return Date.now() - finished < 300_000;
}

/** A container that was started so often and is still not ready is crashing, whatever it does at this moment. */
const manyRestarts = 3;

/** What is wrong with a pod, or undefined while it may simply be starting. */
export function troubleOf(pod: Pod): Trouble | undefined {
  if (isReady(pod) || pod.metadata.deletionTimestamp) return undefined;
  const of = (reason: string, message: string, status?: ContainerStatus): Trouble | undefined => {
    const kind = kinds.find(({ reasons }) => reasons.includes(reason));
    if (!kind) return undefined;
    const { name, namespace = 'default' } = pod.metadata;
    const image = status?.image ?? '';
    return {
      pod: name,
      namespace,
      container: status?.name,
      reason,
      message,
      patience: kind.patience,
      hint: kind.hint(name, image),
    };
  };
  const unscheduled = pod.status.conditions?.find(
    (condition) => condition.type === 'PodScheduled' && condition.status === 'False',
  );
  if (unscheduled) return of(unscheduled.reason ?? '', unscheduled.message ?? '');
  for (const status of [...(pod.status.initContainerStatuses ?? []), ...(pod.status.containerStatuses ?? [])]) {
    const { waiting } = status.state;
    const trouble = waiting && of(waiting.reason ?? '', waiting.message ?? '', status);
    if (trouble) return trouble;
    // Between two crashes it runs for a moment, which is no recovery.
    if (status.restartCount >= manyRestarts && !status.ready && crashedLately(status))
      return of('CrashLoopBackOff', `restarted ${status.restartCount} times`, status);
  }
  return undefined;
}
