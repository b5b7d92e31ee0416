import { resolve } from 'node:path';
import { messageOf, shortened } from '../lib/errors.ts';
import { writeWhole } from '../lib/files.ts';
import type { Category, Span, Trace } from '../lib/trace.ts';
import type { ClusterContext } from './context.ts';
import type { KubeEvent } from './types.ts';

/** An event of the Trace Event Format, which Perfetto and Chrome's about:tracing open. Times are microseconds. */
interface TraceEvent {
  ph: 'X' | 'i' | 'M';
  name: string;
  pid: number;
  tid: number;
  ts?: number;
  dur?: number;
  cat?: string;
  s?: 't';
  args: Record<string, string>;
}

/** A process of the format each, in this order. */
const titles: Record<Category, string> = {
  component: 'Components',
  wait: 'Waiting for',
  image: 'Images into the node',
  download: 'Downloads',
  command: 'Commands',
  event: 'Kubernetes events',
};
const categories = Object.keys(titles) as Category[];
const longestName = 120;

/** A timeline of spans; those that overlap are laid side by side. Their times are taken from `origin`, in milliseconds. */
export function timeline(spans: readonly Span[], origin: number): { traceEvents: TraceEvent[] } {
  const events = categories.flatMap((category, index) => {
    const pid = index + 1;
    const ends: number[] = [];
    const own = spans.filter((span) => span.category === category).sort((a, b) => a.start - b.start);
    return [
      { ph: 'M' as const, name: 'process_name', pid, tid: 0, args: { name: titles[category] } },
      { ph: 'M' as const, name: 'process_sort_index', pid, tid: 0, args: { sort_index: `${pid}` } },
      ...own.map((span) => {
        const free = ends.findIndex((end) => end <= span.start);
        const lane = free === -1 ? ends.length : free;
        ends[lane] = span.end;
        return drawn(span, { pid, tid: lane + 1, ts: Math.round((span.start - origin) * 1000) });
      }),
    ];
  });
  return { traceEvents: events };
}

function drawn(span: Span, at: { pid: number; tid: number; ts: number }): TraceEvent {
  const { category: cat, name, start, end, details } = span;
  const common = { ...at, name: shortened(name, longestName), cat, args: { ...details, name } };
  return end > start ? { ...common, ph: 'X', dur: Math.round((end - start) * 1000) } : { ...common, ph: 'i', s: 't' };
}

/**
 * Events of the cluster as spans without length. They tell whole seconds by the cluster's clock; `epoch` is what
 * `performance.now()` counts from, in milliseconds since 1970. Those of before `since` are left out.
 */
export function eventSpans(events: readonly KubeEvent[], epoch: number, since: number): Span[] {
  return events.flatMap(({ involvedObject, reason = '', message = '', lastTimestamp, eventTime, metadata }) => {
    const told = lastTimestamp ?? eventTime ?? metadata.creationTimestamp;
    const { kind = '', name: of = '' } = involvedObject ?? {};
    const at = Date.parse(told ?? '') - epoch;
    if (!(at >= since)) return [];
    return [{ category: 'event' as const, name: `${reason} ${kind} ${of}`, start: at, end: at, details: { message } }];
  });
}

/**
 * Writes the timeline of a command that began at `origin`, in milliseconds of `performance.now()`, with the events that the
 * cluster tells of since then. Returns a sentence that says where it is, or why it could not be written: what the command
 * did is done all the same.
 */
export async function writeTimeline(
  context: ClusterContext,
  trace: Trace,
  file: string,
  origin: number,
): Promise<string> {
  const path = resolve(context.config.root, file);
  const spans = [...trace.spans(), ...(await eventsSince(context, origin))];
  try {
    // Commands name folders of this machine, and what goes on in a cluster is its owner's business.
    writeWhole(path, JSON.stringify(timeline(spans, origin)), { ownerOnly: true });
  } catch (error) {
    return `! The timeline could not be written: ${messageOf(error)}`;
  }
  return `The timeline is in ${path}; open it in https://ui.perfetto.dev.`;
}

/** A cluster that can't be asked has no events to tell, and the rest of the timeline says why. */
async function eventsSince(context: ClusterContext, origin: number) {
  try {
    return eventSpans(await context.api().list<KubeEvent>('v1', 'Event'), performance.timeOrigin, origin);
  } catch {
    return [];
  }
}

/** A step of a graph: when it ran, in milliseconds, and the names of those that it had to wait for. */
export interface TimedStep {
  name: string;
  needs: readonly string[];
  start: number;
  end: number;
}

/**
 * The steps that decided how long it took, first things first: the last that was done, before it the last done of those
 * that it needed, and so on. Empty where nothing ran.
 */
export function criticalPath<T extends TimedStep>(steps: readonly T[]): T[] {
  const pathTo = (ends: readonly T[]): T[] => {
    const [last] = ends.toSorted((one, other) => other.end - one.end);
    return last ? [...pathTo(steps.filter(({ name }) => last.needs.includes(name))), last] : [];
  };
  return pathTo(steps);
}

/** The same as a line: 'cluster 16.2 s → argo-cd 12.1 s'. What took less than a tenth of a second is left out. */
export function criticalPathLine(steps: readonly TimedStep[]): string {
  return criticalPath(steps)
    .map(({ name, start, end }) => ({ name, seconds: (end - start) / 1000 }))
    .filter(({ seconds }) => seconds >= 0.1)
    .map(({ name, seconds }) => `${name} ${seconds.toFixed(1)} s`)
    .join(' → ');
}
