import { alertSeries, type MetricList, ownSeries } from '../../scripts/repository/metric-names.ts';

/** The path of Prometheus' API that answers with the names of a job's metrics, as `{ data: [...] }`. */
export function namesPath(job: string): string {
  return `/api/v1/label/__name__/values?${new URLSearchParams({ 'match[]': `{job=${JSON.stringify(job)}}` })}`;
}

export interface Difference {
  /** `job: metric`; recorded once, but this Prometheus doesn't have it. */
  missing: string[];
  /** `job: metric`; this Prometheus has it, and it is neither recorded nor documented. */
  unlisted: string[];
}

/**
 * Holds the list against what a running Prometheus has, given by job. A job that Prometheus doesn't scrape is left out
 * of the comparison; one that the list doesn't know is unlisted as a whole.
 */
export function compareMetrics(list: MetricList, running: ReadonlyMap<string, readonly string[]>): Difference {
  const difference: Difference = { missing: [], unlisted: [] };
  for (const [job, names] of running) {
    const { recorded, documented } = list.get(job) ?? { recorded: [], documented: [] };
    // An alert that waits or fires is a series of Prometheus' own, under the job that it is about.
    const known = new Set([...recorded, ...documented, ...ownSeries, ...alertSeries]);
    const present = new Set(names);
    difference.missing.push(...recorded.filter((name) => !present.has(name)).map((name) => `${job}: ${name}`));
    difference.unlisted.push(...names.filter((name) => !known.has(name)).map((name) => `${job}: ${name}`));
  }
  return difference;
}
