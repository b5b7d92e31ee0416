import { groupOf, type KubeObject } from '../objects.ts';
import type { ApiService } from '../types.ts';
import { ApiError, type ApiServer, Unreachable } from './api.ts';

/** A kind of objects that the API server keeps, and what can be done with them. */
export interface ServedResource {
  apiVersion: string;
  kind: string;
  /** The plural that stands in paths. */
  resource: string;
  /** Whether each of its objects is in a namespace. */
  namespaced: boolean;
  verbs: readonly string[];
}

/** An object with the plural of its kind, by which it can be looked up again. */
export type DiscoveredObject = KubeObject & { resource: string };

interface GroupVersion {
  resources: { name: string; kind: string; namespaced: boolean; verbs: string[] }[];
}

/** What the cluster's own programs write all the time, and nobody installs. Endpoints repeat what EndpointSlices say. */
const transientKinds: ReadonlySet<string> = new Set(['Event', 'Lease', 'Endpoints']);

/**
 * Every kind in every version that is served, those of a group in the order in which the API server prefers them. An
 * aggregated API whose own server doesn't answer is left out; one of the API server's own that it does not tell, as when it
 * starts, would hide objects. Throws `ApiError` then, or `Unreachable`.
 */
export async function everyKind(api: ApiServer): Promise<ServedResource[]> {
  const { groups } = await api.json<{
    groups: { preferredVersion: { groupVersion: string }; versions: { groupVersion: string }[] }[];
  }>('/apis');
  const services = await api.list<ApiService>('apiregistration.k8s.io/v1', 'APIService');
  const aggregated = new Set(services.flatMap(({ spec, metadata }) => (spec.service ? [metadata.name] : [])));
  const versions = groups.flatMap((group) => [
    ...new Set([group.preferredVersion, ...group.versions].map(({ groupVersion }) => groupVersion)),
  ]);
  return (await Promise.all(['v1', ...versions].map((version) => kindsOf(api, version, aggregated)))).flat();
}

/**
 * Every object that was put into the cluster or came of one that was, in the version of its kind that the API server prefers:
 * names, owners and who wrote them, but no content. Throws what `everyKind` does.
 */
export async function everyObject(api: ApiServer): Promise<DiscoveredObject[]> {
  const known = new Map<string, ServedResource>();
  for (const one of await everyKind(api)) {
    if (!one.verbs.includes('list') || !one.verbs.includes('delete') || transientKinds.has(one.kind)) continue;
    const key = `${groupOf(one.apiVersion)} ${one.resource}`;
    if (!known.has(key)) known.set(key, one);
  }
  const lists = [...known.values()].map(async ({ apiVersion, kind, resource }) =>
    (await api.listMetadata(apiVersion, kind, resource)).map((object) => ({ ...object, resource })),
  );
  return (await Promise.all(lists)).flat();
}

async function kindsOf(api: ApiServer, apiVersion: string, aggregated: ReadonlySet<string>): Promise<ServedResource[]> {
  const [group, version] = apiVersion.split('/');
  const path = version === undefined ? `/api/${apiVersion}` : `/apis/${apiVersion}`;
  const elsewhere = aggregated.has(`${version}.${group}`);
  try {
    // Nobody waits for somebody else's server.
    const { resources } = elsewhere
      ? (JSON.parse(await api.text(path)) as GroupVersion)
      : await api.json<GroupVersion>(path);
    return resources
      .filter(({ name }) => !name.includes('/'))
      .map(({ name, kind, namespaced, verbs }) => ({ apiVersion, kind, resource: name, namespaced, verbs }));
  } catch (error) {
    // A group that was there a moment ago went with its CRDs.
    // Whose server refuses us has objects that we can't see: that is not none, unless it is being removed just now.
    const isRefused = error instanceof ApiError && [401, 403].includes(error.status);
    if (isRefused && elsewhere && (await isRegistered(api, `${version}.${group}`))) throw error;
    if (error instanceof ApiError && (elsewhere || error.status === 404)) return [];
    if (error instanceof Unreachable && elsewhere) return [];
    throw error;
  }
}

async function isRegistered(api: ApiServer, name: string): Promise<boolean> {
  const services = await api.list<ApiService>('apiregistration.k8s.io/v1', 'APIService');
  return services.some(({ metadata }) => metadata.name === name && metadata.deletionTimestamp === undefined);
}
