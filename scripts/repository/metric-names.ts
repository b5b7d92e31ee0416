import { type FieldPath, mapIn, readYaml } from './yaml.ts';

/** Which metrics each scrape job brings. No manifest: the checks of the manifests leave it out. */
export const metricsFile = 'observability/metrics.yaml';

export interface JobMetrics {
  /** Seen in a Prometheus that had run for a while. */
  recorded: string[];
  /** What the program's client documents beyond that. */
  documented: string[];
}

/** By the value of the label `job`. */
export type MetricList = ReadonlyMap<string, JobMetrics>;

/** The series that Prometheus makes itself, for each target and each alert; from its documentation. */
export const ownSeries: readonly string[] = [
  'up',
  'scrape_duration_seconds',
  'scrape_samples_post_metric_relabeling',
  'scrape_samples_scraped',
  'scrape_series_added',
];
export const alertSeries: readonly string[] = ['ALERTS', 'ALERTS_FOR_STATE'];

/** Reads the list. What doesn't belong in it is in `faults`, with its line from 1. Never throws. */
export function readMetricList(text: string): { list: MetricList; faults: { line: number; message: string }[] } {
  const [document] = readYaml(text);
  if (document === undefined) return { list: new Map(), faults: [{ line: 1, message: 'It is empty' }] };
  if (document.error !== undefined) return { list: new Map(), faults: [document.error] };
  const faults: { line: number; message: string }[] = [];
  const fault = (path: FieldPath, message: string) => faults.push({ line: document.line(path) ?? 1, message });
  const list = new Map<string, JobMetrics>();
  for (const [job, groups] of Object.entries(mapIn<Record<string, unknown>>(document.value))) {
    const metrics: JobMetrics = { recorded: [], documented: [] };
    for (const [group, names] of Object.entries(mapIn<Record<string, unknown>>(groups))) {
      if (group !== 'recorded' && group !== 'documented') {
        fault([job, group], `${job} has "${group}", but a job has recorded and documented only`);
        continue;
      }
      for (const [index, name] of (Array.isArray(names) ? names : []).entries()) {
        const isMetric = typeof name === 'string' && /^[A-Za-z_:][\w:]*$/.test(name);
        if (!isMetric) fault([job, group, index], `"${name}" is no name of a metric`);
        else if ([...metrics.recorded, ...metrics.documented].includes(name)) {
          fault([job, group, index], `${job} lists ${name} twice`);
        } else metrics[group].push(name);
      }
    }
    if (metrics.recorded.length + metrics.documented.length === 0) fault([job], `${job} lists no metric`);
    list.set(job, metrics);
  }
  return { list, faults };
}
