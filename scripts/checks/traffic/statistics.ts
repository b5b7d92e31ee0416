import type { Sent } from './stream.ts';

/** How a stream went. */
export interface Statistics {
  requests: number;
  /** By path and status, or why there was none; the most frequent first. */
  answers: { path: string; status: number | undefined; why?: string; count: number }[];
  /** Milliseconds until the answer, of those that were answered; none where nothing was. */
  latency: { p50: number; p90: number; p95: number; p99: number; max: number } | undefined;
}

/** Counts, and measures. */
export function statisticsOf(sent: readonly Sent[]): Statistics {
  const groups = new Map<string, Statistics['answers'][number]>();
  for (const { path, status, why } of sent) {
    const key = `${path} ${status ?? why}`;
    const group = groups.get(key) ?? { path, status, ...(why !== undefined && { why }), count: 0 };
    group.count += 1;
    groups.set(key, group);
  }
  const answered = sent.filter(({ status }) => status !== undefined).map(({ milliseconds }) => milliseconds);
  const sorted = answered.sort((a, b) => a - b);
  const at = (share: number) => percentile(sorted, share);
  return {
    requests: sent.length,
    answers: [...groups.values()].sort((a, b) => b.count - a.count),
    latency: sorted.length === 0 ? undefined : { p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99), max: at(1) },
  };
}

/** The smallest of the values that at least this share of them doesn't exceed (nearest rank). They have to be sorted. */
export function percentile(sorted: readonly number[], share: number): number {
  const rank = Math.max(Math.ceil(share * sorted.length), 1);
  return sorted[rank - 1] ?? Number.NaN;
}
