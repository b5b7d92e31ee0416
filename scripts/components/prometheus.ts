import type { Config } from '../config/config.ts';
import type { Context } from '../images/context.ts';
import type { KubeObject } from '../kubernetes/objects.ts';
import { withTemplates } from '../kubernetes/workloads.ts';
import { memoizePerContext, readManifestFolder, readManifests } from '../repository/manifests.ts';
import { unreadable } from '../repository/text.ts';
import { install } from './installation.ts';
import { ensureNamespaces, serviceNamespaces } from './namespaces.ts';
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
  const [own, claim, parts, namespaces] = await Promise.all([
    readManifestFolder(root, manifestFolder),
    prometheusStorage === 'claim' ? readManifests(root, [claimFile]) : [],
    addOnRules(context),
    serviceNamespaces(context),
  ]);
  const all = [...watchServices(own, namespaces), ...parts];
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
    return [...(await ensureNamespaces(context)), ...(await removeUnwantedAddOns(context))];
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
/** Where the configuration says in which namespaces the services are. */
const servicesDiscovery = /(- job_name: services\n[\s\S]*?names: )\[default\]/;
const discoveryRole = 'prometheus-discovery';

/**
 * The same objects, with Prometheus looking for the services' pods in these namespaces, and allowed to. Throws where the
 * configuration does not look for services in the default one.
 */
export function watchServices(all: readonly KubeObject[], namespaces: readonly string[]): KubeObject[] {
  const others = namespaces.filter((name) => name !== 'default');
  if (others.length === 0) return [...all];
  const config = (text: string) => {
    if (!servicesDiscovery.test(text)) throw unreadable(`${manifestFolder}/${configFile} has no names: [default].`);
    return text.replace(servicesDiscovery, `$1[${['default', ...others].join(', ')}]`);
  };
  // What it may see in its own namespace is enough there: the pods.
  const roles = all.filter(({ metadata }) => metadata.name === discoveryRole && metadata.namespace === 'observability');
  return [
    ...editConfiguration(all, config),
    ...others
      .filter((namespace) => namespace !== 'observability')
      .flatMap((namespace) => roles.map((role) => renamed(role, { name: 'prometheus-services', namespace }))),
  ];
}

/** A Role or RoleBinding under another name, in another namespace. */
function renamed({ metadata, ...role }: KubeObject, to: { name: string; namespace: string }): KubeObject {
  const roleRef = role.roleRef as object | undefined;
  return { ...role, metadata: { ...metadata, ...to }, ...(roleRef && { roleRef: { ...roleRef, name: to.name } }) };
}

/** Where the configuration says which namespace the ingress controller is in. */
const nginxNamespace = 'names: [ingress-nginx]';

/** The same objects, with Prometheus looking for the chosen ingress controller. Throws where the configuration names none. */
export function watchController(all: readonly KubeObject[], controller: Config['ingressController']): KubeObject[] {
  if (controller === 'nginx') return [...all];
  return editConfiguration(all, (text) => {
    if (!text.includes(nginxNamespace)) throw unreadable(`${manifestFolder}/${configFile} has no ${nginxNamespace}.`);
    return text.replace(nginxNamespace, `names: [${controller}]`);
  });
}

function editConfiguration(all: readonly KubeObject[], edit: (text: string) => string): KubeObject[] {
  return all.map((object) => {
    const { [configFile]: text, ...others } = (object.data ?? {}) as Record<string, string>;
    // The rules about Prometheus itself are in a file of the same name.
    if (object.kind !== 'ConfigMap' || object.metadata.name !== configMapName || text === undefined) return object;
    return { ...object, data: { ...others, [configFile]: edit(text) } };
  });
}
