import type { Config } from '../config/config.ts';
import type { Context } from '../images/context.ts';
import type { KubeObject } from '../kubernetes/objects.ts';
import { withTemplates } from '../kubernetes/workloads.ts';
import { memoizePerContext, readManifestFolder, readManifests } from '../repository/manifests.ts';
import { unreadable } from '../repository/text.ts';
import { install } from './installation.ts';
import { addOnRules, removeUnwantedAddOns } from './prometheus-add-ons.ts';
import {
  assertConfigurationValid,
  checksumRule,
  configurationNotLoaded,
  reloadConfiguration,
} from './prometheus-client.ts';
import { routeTable, siteUrl } from './routes.ts';

const manifestFolder = 'observability/prometheus';
export const claimFile = `${manifestFolder}/storage/claim.yaml`;

const prometheusObjects = memoizePerContext(async (context: Context) => {
  const { root, ingressController, prometheusStorage } = context.config;
  const [own, claim, parts] = await Promise.all([
    readManifestFolder(root, manifestFolder),
    prometheusStorage === 'claim' ? readManifests(root, [claimFile]) : [],
    addOnRules(context),
  ]);
  const all = [...own, ...parts];
  const watching = watchController([...all, checksumRule(all)], ingressController);
  return [...useClaim(withOwnAddress(watching, context), claim), ...claim];
});

/** Prometheus, by hand: each of its objects is a commented file. It follows a change of its configuration while it runs. */
export const prometheus = install({
  name: 'prometheus',
  needs: ['cluster'],
  objects: prometheusObjects,
  // A claim of before stays, with its data, until all of Prometheus is removed.
  made: [
    { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'prometheus', namespace: 'observability' } },
  ],
  async prepare(context) {
    await assertConfigurationValid(context, await prometheusObjects(context));
    return removeUnwantedAddOns(context);
  },
  missing: async (context) => configurationNotLoaded(context, await prometheusObjects(context)),
  mend: async (context) => reloadConfiguration(context, await prometheusObjects(context)),
});

/** Has Prometheus write the address at which the ingress shows it into the links of its alerts. */
function withOwnAddress(all: readonly KubeObject[], context: Context): KubeObject[] {
  const site = routeTable.find(({ title }) => title === 'Prometheus');
  const flag = '--web.external-url=';
  return withTemplates(all, ({ spec }: { spec: { containers: { args?: string[] }[] } }) => {
    for (const container of spec.containers)
      container.args = (container.args ?? []).map((argument) =>
        site && argument.startsWith(flag) ? `${flag}${siteUrl(context, site)}/` : argument,
      );
  });
}

/** Has the volume `data` be the claim, if there is one. */
export function useClaim(all: readonly KubeObject[], claims: readonly KubeObject[]): KubeObject[] {
  const [claim] = claims;
  if (claim === undefined) return [...all];
  const source = { name: 'data', persistentVolumeClaim: { claimName: claim.metadata.name } };
  return withTemplates(all, ({ spec }: { spec: { volumes: { name: string }[] } }) => {
    if (!spec.volumes.some(({ name }) => name === 'data')) throw unreadable(`${manifestFolder} has no volume data.`);
    spec.volumes = spec.volumes.map((volume) => (volume.name === 'data' ? source : volume));
  });
}

const configMapName = 'prometheus-config';
const configFile = 'prometheus.yml';
/** Where the configuration says which namespace the ingress controller is in. */
const nginxNamespace = 'names: [ingress-nginx]';

/** The same objects, with Prometheus looking for the chosen ingress controller. Throws where the configuration names none. */
export function watchController(all: readonly KubeObject[], controller: Config['ingressController']): KubeObject[] {
  if (controller === 'nginx') return [...all];
  return all.map((object) => {
    const { [configFile]: text, ...others } = (object.data ?? {}) as Record<string, string>;
    // The rules about Prometheus itself are in a file of the same name.
    if (object.kind !== 'ConfigMap' || object.metadata.name !== configMapName) return object;
    if (!text?.includes(nginxNamespace)) throw unreadable(`${manifestFolder}/${configFile} has no ${nginxNamespace}.`);
    const data = { ...others, [configFile]: text.replace(nginxNamespace, `names: [${controller}]`) };
    return { ...object, data };
  });
}
