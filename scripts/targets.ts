import type { Context } from './context.ts';

/** A scrape target, as Prometheus' API tells it. */
export interface Target {
  labels: { job?: string; pod?: string; namespace?: string; service?: string; instance?: string };
  health: 'up' | 'down' | 'unknown';
  lastError: string;
  scrapeUrl: string;
}

const targetsPath = '/api/v1/namespaces/observability/services/http:prometheus:9090/proxy/api/v1/targets?state=active';

/** All targets that Prometheus scrapes. Asked through the API server, so it works without the ingress. Throws `ApiError`. */
export async function readTargets(context: Context): Promise<Target[]> {
  const { data } = await context.api().json<{ data: { activeTargets: Target[] } }>(targetsPath);
  return data.activeTargets;
}

/** The names of the pods that Prometheus has scraped with success. */
export async function targetsUp(context: Context): Promise<Set<string>> {
  const targets = await readTargets(context);
  return new Set(
    targets.flatMap(({ health, labels }) => (health === 'up' && labels.pod !== undefined ? [labels.pod] : [])),
  );
}
