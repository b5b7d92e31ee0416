import { prometheusPath, type ScrapeTarget } from '../../components/prometheus-client.ts';
import type { ApiServer } from '../../kubernetes/api/api.ts';

/** Where Prometheus runs. */
export const prometheusNamespace = 'observability';

/** A time series of an answer, with its newest value. */
export interface Series {
  metric: Record<string, string>;
  value: [time: number, value: string];
}

/** A target, and the name of the part of `scrape_configs` that it comes from. */
export interface ActiveTarget extends ScrapeTarget {
  labels: ScrapeTarget['labels'] & { version?: string };
  discoveredLabels: Record<string, string>;
  scrapePool: string;
}

/** Something that discovery found, and that a rule of the job leaves out. */
export interface DroppedTarget {
  discoveredLabels: Record<string, string>;
  scrapePool: string;
}

export interface LiveRule {
  name: string;
  type: 'recording' | 'alerting';
  query: string;
  health: 'ok' | 'unknown' | 'err';
  lastError?: string;
}

/** The running Prometheus' API, https://prometheus.io/docs/prometheus/latest/querying/api. Throws `ApiError`, `Unreachable`. */
export interface Prometheus {
  query(expr: string): Promise<Series[]>;
  targets(): Promise<{ activeTargets: ActiveTarget[]; droppedTargets: DroppedTarget[] }>;
  rules(): Promise<{ file: string; rules: LiveRule[] }[]>;
  /** The configuration that it has read, as YAML with every default in it. */
  config(): Promise<string>;
}

/** Prometheus through the API server's proxy: it works where the ingress does not. */
export function connectPrometheus(api: () => ApiServer): Prometheus {
  const ask = async <T>(path: string) => (await api().json<{ data: T }>(prometheusPath(path))).data;
  return {
    query: async (expr) =>
      (await ask<{ result: Series[] }>(`/api/v1/query?${new URLSearchParams({ query: expr })}`)).result,
    targets: () => ask('/api/v1/targets'),
    rules: async () => (await ask<{ groups: { file: string; rules: LiveRule[] }[] }>('/api/v1/rules')).groups,
    config: async () => (await ask<{ yaml: string }>('/api/v1/status/config')).yaml,
  };
}

/** Queries that Prometheus is asked at the same time, at most. */
export const concurrentQueries = 6;
