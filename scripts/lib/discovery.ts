import { ApiError, type ApiServer } from './api.ts';
import { groupOf, type KubeObject } from './objects.ts';

/** A kind of objects that the API server keeps. */
export interface Resource {
  apiVersion: string;
  kind: string;
  /** The plural that stands in paths. */
  resource: string;
}

/** An object with the plural of its kind, by which it can be looked up again. */
export type Found = KubeObject & { resource: string };

interface GroupVersion {
  resources: { name: string; kind: string; verbs: string[] }[];
}

/** What the cluster's own programs write all the time, and nobody installs. Endpoints repeat what EndpointSlices say. */
const passing: ReadonlySet<string> = new Set(['Event', 'Lease', 'Endpoints']);

/**
 * Every kind whose objects can be listed and deleted, each once, in the version that the API server prefers. A group
 * whose server doesn't answer, as that of an aggregated API may, is left out. Throws `Unreachable`.
 */
export async function discover(api: ApiServer): Promise<Resource[]> {
  const { groups } = await api.json<{
    groups: { preferredVersion: { groupVersion: string }; versions: { groupVersion: string }[] }[];
  }>('/apis');
  const versions = groups.flatMap((group) => [
    ...new Set([group.preferredVersion, ...group.versions].map(({ groupVersion }) => groupVersion)),
  ]);
  const found = await Promise.all(['v1', ...versions].map((version) => resourcesOf(api, version)));
  const known = new Map<string, Resource>();
  for (const one of found.flat()) {
    const key = `${groupOf(one.apiVersion)} ${one.resource}`;
    if (!known.has(key)) known.set(key, one);
  }
  return [...known.values()];
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

async function resourcesOf(api: ApiServer, apiVersion: string): Promise<Resource[]> {
  try {
    const { resources } = await api.json<GroupVersion>(
      apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`,
    );
    return resources
      .filter(({ name, kind, verbs }) => !name.includes('/') && verbs.includes('list') && !passing.has(kind))
      .filter(({ verbs }) => verbs.includes('delete'))
      .map(({ name, kind }) => ({ apiVersion, kind, resource: name }));
  } catch (error) {
    if (error instanceof ApiError) return [];
    throw error;
  }
}
