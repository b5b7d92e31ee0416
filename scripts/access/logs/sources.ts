import type { ContainerStatus, Pod } from '../../kubernetes/workloads.ts';

/** A run of a container, from its start to its end: what has a log of its own. */
export interface Source {
  /** Tells it from every other run, also from an earlier one in the same pod. */
  id: string;
  namespace: string;
  pod: string;
  container: string;
  /** Whether it is still being written. */
  running: boolean;
  /** What stands before its lines: the pod, and the container where the pod has several. */
  label: string;
}

export interface Sources {
  sources: Source[];
  /** Containers without a log, and why, a sentence each. */
  without: string[];
}

/** Whose logs there are in these pods, or with `previous` of the runs before. */
export function sourcesOf(pods: readonly Pod[], previous = false): Sources {
  const found: Sources = { sources: [], without: [] };
  for (const { metadata, spec, status } of pods) {
    const statuses = [...(status.initContainerStatuses ?? []).filter(isTelling), ...(status.containerStatuses ?? [])];
    if (statuses.length === 0) found.without.push(`${metadata.name} has no container yet: it is ${status.phase}.`);
    for (const one of statuses) {
      const label =
        spec.containers.length + (spec.initContainers?.length ?? 0) > 1
          ? `${metadata.name}/${one.name}`
          : metadata.name;
      const why = whyNone(one, previous);
      if (why !== undefined) found.without.push(`${label} ${why}.`);
      else
        found.sources.push({
          id: `${metadata.uid} ${one.name} ${one.restartCount}`,
          namespace: metadata.namespace ?? '',
          pod: metadata.name,
          container: one.name,
          running: !previous && one.state.running !== undefined,
          label,
        });
    }
  }
  return found;
}

/** One that did its work and ended has nothing to say of the pod as it is. */
function isTelling({ state }: ContainerStatus): boolean {
  return state.terminated?.exitCode !== 0;
}

function whyNone({ state, lastState, restartCount }: ContainerStatus, previous: boolean): string | undefined {
  if (previous) return lastState?.terminated ? undefined : `has no run before this one (${restartCount} restarts)`;
  // While it waits for its next run, the API server answers with the log of the one that ended.
  if (state.running || state.terminated || lastState?.terminated) return undefined;
  const { reason, message } = state.waiting ?? {};
  return `has no log yet: ${[reason ?? 'it waits', message].filter(Boolean).join(', ')}`;
}
