import { randomBytes } from 'node:crypto';
import type { Component } from '../cluster/component.ts';
import type { Context } from '../images/context.ts';
import type { KubeObject } from '../kubernetes/objects.ts';
import { ensureSecret } from '../kubernetes/secret.ts';
import { withTemplates } from '../kubernetes/workloads.ts';
import { readKustomizedObjects, readManifests, restartOnConfigChange } from '../repository/manifests.ts';
import { install } from './installation.ts';

const namespace = 'observability';
const namespaceFile = 'observability/prometheus/namespace.yaml';
const folder = 'observability/grafana';

/** Where the administrator's password lies: made once for each cluster, never in Git. */
export const grafanaPassword = { namespace, secret: 'grafana-admin', key: 'password' };

const installed = install({
  name: 'grafana',
  needs: ['cluster'],
  objects: async ({ config }) =>
    restartOnConfigChange([
      ...(await readManifests(config.root, [namespaceFile])),
      ...letLook(await readKustomizedObjects(config.root, folder), config.grafanaAnonymous),
    ]),
  made: [{ apiVersion: 'v1', kind: 'Secret', metadata: { name: grafanaPassword.secret, namespace } }],
  prepare: ensurePassword,
});

/** Grafana, with its data source and dashboards provisioned from files. The namespace is Prometheus', too, which removes it. */
export const grafana: Component = {
  ...installed,
  remove: async (context, kept = []) => {
    const shared = await readManifests(context.config.root, [namespaceFile]);
    return (await installed.remove?.(context, [...kept, ...shared])) ?? [];
  },
};

/** What lets somebody without a password look, as Grafana calls it. */
const anonymous = [
  { name: 'GF_AUTH_ANONYMOUS_ENABLED', value: 'true' },
  { name: 'GF_AUTH_ANONYMOUS_ORG_ROLE', value: 'Viewer' },
];

/** The same objects, with a Grafana that anybody may look at, if that is wanted. The manifests themselves let nobody in. */
export function letLook(objects: readonly KubeObject[], wanted: boolean): KubeObject[] {
  if (!wanted) return [...objects];
  return withTemplates(objects, ({ spec }: { spec: { containers: { env?: object[] }[] } }) => {
    for (const container of spec.containers) container.env = [...(container.env ?? []), ...anonymous];
  });
}

async function ensurePassword(context: Context): Promise<string[]> {
  const { secret: name, key } = grafanaPassword;
  const make = () => ({ type: 'Opaque', stringData: { [key]: randomBytes(18).toString('base64url') } });
  return ensureSecret(context, { namespace, name }, make, await readManifests(context.config.root, [namespaceFile]));
}
