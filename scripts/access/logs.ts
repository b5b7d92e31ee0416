import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config/config.ts';
import type { Context } from '../images/context.ts';
import { ApiError, isPassing, Unreachable } from '../kubernetes/api/api.ts';
import { nameOf } from '../kubernetes/objects.ts';
import type { ContainerStatus, Pod, Workload } from '../kubernetes/types.ts';
import { isOfService } from '../kubernetes/workloads.ts';
import { Interrupted } from '../lib/errors.ts';
import { unknownWord } from '../lib/text.ts';

export interface LogLine {
  source: LogSource;
  /** When the node read it, to the nanosecond: texts that can be compared. */
  time: string;
  text: string;
}

/** Which part of a log. */
export interface LogRange {
  /** The last so many lines. */
  tail?: number | undefined;
  /** Those of the last so many seconds. */
  seconds?: number | undefined;
  /** Those behind this time of a `Line`. */
  after?: string | undefined;
  /** The log of the run before. */
  previous?: boolean;
  /** Goes on until the container ends. */
  follow?: boolean;
}

/** Hands over the lines of a log as they come. Resolves when the log ends. Throws `ApiError`, `Unreachable` or `Interrupted`. */
async function readLog(
  context: Context,
  source: LogSource,
  part: LogRange,
  onLine: (line: LogLine) => void | Promise<void>,
): Promise<void> {
  const take = (raw: string) => {
    const blank = raw.indexOf(' ');
    const time = withNanoseconds(raw.slice(0, blank));
    // The API server knows whole seconds only: the first of them brings what was read before.
    if (part.after === undefined || time > part.after) return onLine({ source, time, text: raw.slice(blank + 1) });
  };
  const { namespace, pod } = source;
  const path = `/api/v1/namespaces/${namespace}/pods/${pod}/log?${query(source, part)}`;
  const rest = await context.api().lines(path, part.follow ? 0 : silenceTimeoutMs, take);
  // A program that dies in the middle of a line leaves its last words without an end.
  if (rest !== '') await take(rest);
}

/** Milliseconds in which a log that is not followed has to go on coming. */
const silenceTimeoutMs = 30_000;

function query({ container }: LogSource, { tail, seconds, after, previous, follow }: LogRange): URLSearchParams {
  return new URLSearchParams({
    container,
    timestamps: 'true',
    ...(tail !== undefined && { tailLines: String(tail) }),
    ...(seconds !== undefined && { sinceSeconds: String(seconds) }),
    ...(after !== undefined && { sinceTime: after.replace(/\.\d+/, '') }),
    ...(previous && { previous: 'true' }),
    ...(follow && { follow: 'true' }),
  });
}

/** The same time with nine digits behind the point. */
function withNanoseconds(time: string): string {
  return time.replace(/(?:\.(\d+))?(?=Z|[+-]\d\d:)/, (_, digits = '') => `.${digits.padEnd(9, '0')}`);
}

/** A run of a container, from its start to its end: what has a log of its own. */
export interface LogSource {
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

export interface LogSources {
  sources: LogSource[];
  /** Containers without a log, and why, a sentence each. */
  without: string[];
}

/** Whose logs there are in these pods, or with `previous` of the runs before. */
export function sourcesOf(pods: readonly Pod[], previous = false): LogSources {
  const found: LogSources = { sources: [], without: [] };
  for (const { metadata, spec, status } of pods) {
    const statuses = [...(status.initContainerStatuses ?? []).filter(isRelevant), ...(status.containerStatuses ?? [])];
    if (statuses.length === 0) found.without.push(`${metadata.name} has no container yet: it is ${status.phase}.`);
    for (const one of statuses) {
      const label =
        spec.containers.length + (spec.initContainers?.length ?? 0) > 1
          ? `${metadata.name}/${one.name}`
          : metadata.name;
      const why = noLogReason(one, previous);
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
function isRelevant({ state }: ContainerStatus): boolean {
  return state.terminated?.exitCode !== 0;
}

function noLogReason({ state, lastState, restartCount }: ContainerStatus, previous: boolean): string | undefined {
  if (previous) return lastState?.terminated ? undefined : `has no run before this one (${restartCount} restarts)`;
  // While it waits for its next run, the API server answers with the log of the one that ended.
  if (state.running || state.terminated || lastState?.terminated) return undefined;
  const { reason, message } = state.waiting ?? {};
  return `has no log yet: ${[reason ?? 'it waits', message].filter(Boolean).join(', ')}`;
}

/** Milliseconds between two looks for pods that are new. */
const pollIntervalMs = 1000;

/** The lines that there are, of all sources, in the order of time. */
export async function readLogs(context: Context, sources: readonly LogSource[], part: LogRange): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  await Promise.all(
    sources.map((source) =>
      readLog(context, source, part, (line) => void lines.push(line)).catch((error: unknown) => {
        // A pod may go between the look for it and this.
        if (!(error instanceof ApiError) || ![400, 404].includes(error.status)) throw error;
      }),
    ),
  );
  return lines.sort((one, other) => (one.time < other.time ? -1 : one.time > other.time ? 1 : 0));
}

interface LogFollowOptions {
  /** Who has a log now. */
  look(): Promise<LogSource[]>;
  /** The time of the last line that was told of each source already, by its id. */
  told: Map<string, string>;
  /** The next line of the same source is read once this is done. */
  onLine(line: LogLine): void | Promise<void>;
  /** Told once each time that the API server can't be asked. */
  onLost(why: string): void;
}

/**
 * Goes on with every log, and with those of pods and runs that are new, until the signal fires; then it throws
 * `Interrupted`. What the API server doesn't answer meanwhile is asked for again, from the last line on.
 */
export async function followLogs(context: Context, { look, told, onLine, onLost }: LogFollowOptions): Promise<never> {
  const ended = new Set<string>();
  const open = new Set<string>();
  let lost = false;
  const follow = async (source: LogSource) => {
    open.add(source.id);
    try {
      await readLog(context, source, { follow: true, after: told.get(source.id) }, (line) => {
        told.set(source.id, line.time);
        return onLine(line);
      });
      ended.add(source.id);
    } catch (error) {
      if (!isTransient(error)) throw error;
    } finally {
      open.delete(source.id);
    }
  };
  let failed: unknown;
  for (;;) {
    if (context.signal.aborted) throw new Interrupted();
    if (failed !== undefined) throw failed;
    try {
      // An API server that shuts down ends an answer as a container does that ends.
      for (const source of await look())
        if (!open.has(source.id) && (source.running || !ended.has(source.id)))
          follow(source).catch((error: unknown) => {
            failed = error;
          });
      lost = false;
    } catch (error) {
      if (!isTransient(error)) throw error;
      if (!lost) onLost((error as Error).message);
      lost = true;
    }
    await sleep(pollIntervalMs, undefined, { signal: context.signal }).catch(() => {});
  }
}

/** A pod may go, or have no log yet. A login that lacks the right to read it won't get it by waiting. */
function isTransient(error: unknown): boolean {
  if (error instanceof ApiError && [400, 404].includes(error.status)) return true;
  return error instanceof Unreachable || isPassing(error);
}

const workloadKindNames = ['Deployment', 'StatefulSet', 'DaemonSet'] as const;

/** Words for all that is in a namespace. */
const workloadGroups: Record<string, (config: Config) => string> = {
  argocd: () => 'argocd',
  ingress: ({ ingressController }) => (ingressController === 'traefik' ? 'traefik' : 'ingress-nginx'),
};

/** Whether it is that of one of the platform's services, be it under another name. */
function isOwn(workload: Workload, service: string): boolean {
  return workload.metadata.labels?.['app.kubernetes.io/part-of'] === 'platform' && isOfService(service)(workload);
}

/**
 * The workloads that a word means: those of that name, or all of `argocd` or `ingress`. Throws a `UsageError` that tells
 * which there are.
 */
export async function workloadsNamed(context: Context, word: string): Promise<Workload[]> {
  const view = context.view();
  const all = (await Promise.all(workloadKindNames.map((kind) => view.list<Workload>('apps/v1', kind)))).flat();
  const named = all.filter((one) => one.metadata.name === word || isOwn(one, word));
  const namespace = workloadGroups[word]?.(context.config);
  const found = named.length > 0 ? named : all.filter(({ metadata }) => metadata.namespace === namespace);
  if (found.length > 0) return found.toSorted((one, other) => nameOf(one).localeCompare(nameOf(other)));
  const words = [...new Set([...all.map(({ metadata }) => metadata.name), ...Object.keys(workloadGroups)])].sort();
  throw unknownWord(`Nothing in the cluster is called "${word}".`, word, words);
}
