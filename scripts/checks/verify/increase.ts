import type { Series } from './prometheus-api.ts';

/** How much a counter has risen over several looks at it, series by series. */
export interface Increase {
  /** What it has risen by since the first look. */
  total: number;
  /** A series of an earlier look is missing: a pod is gone, with what it counted since Prometheus scraped it last. */
  vanished: boolean;
  /** Prometheus had nothing of a series before it rose, so that rate() sees no rise of it. */
  begun: boolean;
}

/**
 * Follows a counter. A sum over its series says little while pods come and go: it falls when one goes, and rises by all that
 * a pod has ever counted when one comes back.
 * @returns a function that takes each look's series, the first of them the baseline. As for Prometheus' increase(), a series
 * that falls has begun again at 0; unlike there, so has one that is new. One that comes back goes on where it was.
 */
export function followCounter(): (series: readonly Series[]) => Increase {
  const last = new Map<string, number>();
  let looks = 0;
  let total = 0;
  let begun = false;
  return (series) => {
    const now = new Map(series.map(({ metric, value }) => [keyOf(metric), Number(value[1]) || 0]));
    for (const [key, value] of now) {
      const before = last.get(key);
      if (looks > 0) {
        total += before !== undefined && value >= before ? value - before : value;
        begun ||= before === undefined;
      }
      last.set(key, value);
    }
    looks += 1;
    if (looks === 1) begun = ![...now.values()].some((value) => value > 0);
    return { total, vanished: [...last.keys()].some((key) => !now.has(key)), begun };
  };
}

function keyOf(metric: Series['metric']): string {
  return JSON.stringify(Object.entries(metric).sort(([a], [b]) => (a < b ? -1 : 1)));
}
