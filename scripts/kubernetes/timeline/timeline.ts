import { shortened } from '../../lib/errors.ts';
import type { Category, Span } from '../../lib/trace/trace.ts';
import type { Event } from '../explain/explain.ts';

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
export function eventSpans(events: readonly Event[], epoch: number, since: number): Span[] {
  return events.flatMap(({ involvedObject, reason = '', message = '', lastTimestamp, eventTime, metadata }) => {
    const told = lastTimestamp ?? eventTime ?? metadata.creationTimestamp;
    const { kind = '', name: of = '' } = involvedObject ?? {};
    const at = Date.parse(told ?? '') - epoch;
    if (!(at >= since)) return [];
    return [{ category: 'event' as const, name: `${reason} ${kind} ${of}`, start: at, end: at, details: { message } }];
  });
}
