import { randomBytes } from 'node:crypto';
import type { Context } from '../context.ts';
import { install } from './installation.ts';
import { readManifests, restartOnConfigChange } from './manifests.ts';

const namespace = 'observability';
const namespaceFile = 'observability/prometheus/namespace.yaml';
const files = ['configmap-datasources', 'configmap-dashboards', 'deployment', 'service'].map(
  (name) => `observability/grafana/${name}.yaml`,
);

/** Where the administrator's password lies: made once for each cluster, never in Git. */
export const grafanaPassword = { namespace, secret: 'grafana-admin', key: 'password' };

/** Grafana, with its data source and dashboards provisioned from files. */
export const grafana = install({
  name: 'grafana',
  needs: ['cluster'],
  objects: async ({ config }) => restartOnConfigChange(await readManifests(config.root, [namespaceFile, ...files])),
  prepare: ensurePassword,
});

async function ensurePassword(context: Context): Promise<string[]> {
  const { secret: name, key } = grafanaPassword;
  const known = await context.api().listMetadata('v1', 'Secret');
  if (known.some(({ metadata }) => metadata.name === name && metadata.namespace === namespace)) return [];
  const kubectl = await context.kubectl();
  return kubectl.apply([
    ...(await readManifests(context.config.root, [namespaceFile])),
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace },
      type: 'Opaque',
      stringData: { [key]: randomBytes(18).toString('base64url') },
    },
  ]);
}
