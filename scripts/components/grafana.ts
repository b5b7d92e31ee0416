import { randomBytes } from 'node:crypto';
import type { Context } from '../context.ts';
import { install } from './installation.ts';
import { readManifests, restartOnConfigChange } from './manifests.ts';
import { ensureSecret } from './secret.ts';

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
  const make = () => ({ type: 'Opaque', stringData: { [key]: randomBytes(18).toString('base64url') } });
  return ensureSecret(context, { namespace, name }, make, await readManifests(context.config.root, [namespaceFile]));
}
