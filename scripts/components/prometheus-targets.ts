import type { Context } from '../images/context.ts';

/** A scrape target, as Prometheus' API tells it. */
export interface Target {
  labels: { job?: string; pod?: string; namespace?: string; service?: string; instance?: string };
  health: 'up' | 'down' | 'unknown';
  lastError: string;
  scrapeUrl: string;
}

/** The path of the API server that leads to a path of Prometheus, so that it is reached without the ingress. */
export function prometheusPath(path: string): string {
  return `/api/v1/namespaces/observability/services/http:prometheus:9090/proxy${path}`;
}

/** All targets that Prometheus scrapes. Throws `ApiError`. */
export async function readTargets(context: Context): Promise<Target[]> {
  const { data } = await context
    .api()
    .json<{ data: { activeTargets: Target[] } }>(prometheusPath('/api/v1/targets?state=active'));
  return data.activeTargets;
}

/** The names of the pods that Prometheus has scraped with success. */
export async function targetsUp(context: Context): Promise<Set<string>> {
  const targets = await readTargets(context);
  return new Set(
    targets.flatMap(({ health, labels }) => (health === 'up' && labels.pod !== undefined ? [labels.pod] : [])),
  );
}

/** The first pod that Prometheus has last scraped in vain, with the reason, as a sentence. Throws `ApiError`. */
export async function podDown(context: Context): Promise<string | undefined> {
  const targets = await readTargets(context);
  const down = targets.find(({ health, labels }) => health === 'down' && labels.pod !== undefined);
  return down && `Prometheus does not see the pod ${down.labels.namespace}/${down.labels.pod} up: ${down.lastError}`;
}
