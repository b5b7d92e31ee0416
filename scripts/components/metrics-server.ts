import type { Context } from '../context.ts';
import { ApiError } from '../lib/api.ts';
import { install } from './installation.ts';
import { readManifests } from './manifests.ts';

/** What the HorizontalPodAutoscalers measure with. */
export const metricsServer = install({
  name: 'metrics-server',
  needs: ['cluster'],
  objects: ({ config }) => readManifests(config.root, ['cluster/metrics-server.yaml']),
  missing: noMetrics,
});

/** The pod is ready before the API server has noticed, so the API itself is asked. */
async function noMetrics(context: Context): Promise<string | undefined> {
  try {
    await context.api().text('/apis/metrics.k8s.io/v1beta1/nodes');
    return undefined;
  } catch (error) {
    if (error instanceof ApiError) return 'the metrics API is not served yet';
    throw error;
  }
}
