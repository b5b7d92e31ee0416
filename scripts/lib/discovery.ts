import { ApiError, type ApiServer } from './api.ts';
import { groupOf, type KubeObject } from './objects.ts';

/** A kind of objects that the API server keeps. */
export interface Resource {
  apiVersion: string;
  kind: string;
  /** The plural that stands in paths. */
  resource: string;
  /** Whether each of its objects is in a namespace. */
  namespaced: boolean;
}

/** The same, with what can be done with its objects. */
export type Served = Resource & { verbs: readonly string[] };

/** An object with the plural of its kind, by which it can be looked up again. */
export type Found = KubeObject & { resource: string };

interface GroupVersion {
  resources: { name: string; kind: string; namespaced: boolean; verbs: string[] }[];
}

/** What the cluster's own programs write all the time, and nobody installs. Endpoints repeat what EndpointSlices say. */
const passing: ReadonlySet<string> = new Set(['Event', 'Lease', 'Endpoints']);

/**
 * Every kind whose objects can be listed and deleted, each once, in the version that the API server prefers. A group
 * whose server doesn't answer, as that of an aggregated API may, is left out. Throws `Unreachable`.
 */
export async function discover(api: ApiServer): Promise<Resource[]> {
  const known = new Map<string, Resource>();
  for (const { verbs, ...one } of await everyKind(api)) {
    if (!verbs.includes('list') || !verbs.includes('delete') || passing.has(one.kind)) continue;
    const key = `${groupOf(one.apiVersion)} ${one.resource}`;
    if (!known.has(key)) known.set(key, one);
  }
  return [...known.values()];
}

/**
 * Every kind in every version that is served, those of a group in the order in which the API server prefers them. A group
 * whose server doesn't answer is left out. Throws `Unreachable`.
 */
export async function everyKind(api: ApiServer): Promise<Served[]> {
  const { groups } = await api.json<{
    groups: { preferredVersion: { groupVersion: string }; versions: { groupVersion: string }[] }[];
  }>('/apis');
  const versions = groups.flatMap((group) => [
    ...new Set([group.preferredVersion, ...group.versions].map(({ groupVersion }) => groupVersion)),
  ]);
  return (await Promise.all(['v1', ...versions].map((version) => kindsOf(api, version)))).flat();
}

/** Every object that was put into the cluster or came of one that was: names, owners and who wrote them, but no content. */
export async function everyObject(api: ApiServer): Promise<Found[]> {
  const resources = await discover(api);
  const lists = await Promise.all(
    resources.map(async ({ apiVersion, kind, resource }) =>
      (await api.listMetadata(apiVersion, kind, resource)).map((object) => ({ ...object, resource })),
    ),
  );
  return lists.flat();
}

async function kindsOf(api: ApiServer, apiVersion: string): Promise<Served[]> {
  try {
    const { resources } = await api.json<GroupVersion>(
      apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`,
    );
    return resources
      .filter(({ name }) => !name.includes('/'))
      .map(({ name, kind, namespaced, verbs }) => ({ apiVersion, kind, resource: name, namespaced, verbs }));
  } catch (error) {
    if (error instanceof ApiError) return [];
    throw error;
  }
}
