import type { Context } from '../context.ts';
import { ApiError } from '../lib/api.ts';
import { install } from './installation.ts';
import { memoizePerContext, readManifests } from './manifests.ts';

const objects = memoizePerContext(({ config }) => readManifests(config.root, ['cluster/metrics-server.yaml']));
const metricsPath = '/apis/metrics.k8s.io/v1beta1/nodes';

/**
 * What the HorizontalPodAutoscalers measure with. The API server is only told of it when it answers: asked before the
 * node knows the way to the Service's address, the API server's connection leaves the machine, and a network in which
 * something answers for every address (a hotel's, a company's proxy) keeps that connection for good.
 */
export const metricsServer = install({
  name: 'metrics-server',
  needs: ['cluster'],
  objects,
  last: ({ kind }) => kind === 'APIService',
  missing: async (context) =>
    (await metricsAnswer(context)) === 200 ? undefined : 'the metrics API is not served yet',
  mend,
});

async function metricsAnswer(context: Context): Promise<number> {
  try {
    await context.api().text(metricsPath);
    return 200;
  } catch (error) {
    if (error instanceof ApiError) return error.status;
    throw error;
  }
}

/** When each context mended last, in milliseconds: the API server takes a few seconds to connect anew. */
const mended = new WeakMap<Context, number>();

/**
 * After a restart of the node the API server is up before the way to the Service is, and may have connected to a
 * stranger. metrics-server says 503 while it starts, and a stranger 404. A Service with a new address is connected to anew.
 */
async function mend(context: Context): Promise<void> {
  if (Date.now() - (mended.get(context) ?? 0) < 15_000) return;
  const service = (await objects(context)).find(({ kind }) => kind === 'Service');
  const registered = (await context.api().listMetadata('apiregistration.k8s.io/v1', 'APIService')).some(
    ({ metadata }) => metadata.name === 'v1beta1.metrics.k8s.io',
  );
  if (!service || !registered || (await metricsAnswer(context)) !== 404) return;
  mended.set(context, Date.now());
  const kubectl = await context.kubectl();
  const { name, namespace = '' } = service.metadata;
  await kubectl.run(['delete', 'service', name, '--namespace', namespace, '--ignore-not-found'], { timeout: 30_000 });
  await kubectl.apply([service]);
}
