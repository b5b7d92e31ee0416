import type { ApiServer } from '../../kubernetes/api/api.ts';
import { everyKind, type ServedResource } from '../../kubernetes/api/discovery.ts';
import { collectionPath, groupOf, type KubeObject } from '../../kubernetes/objects.ts';

/** What a chart is rendered for, and how its objects are found: the cluster's version and the kinds that it serves. */
export interface ClusterFacts {
  /** As in 1.36.4. */
  kubeVersion: string;
  kinds: readonly ServedResource[];
}

/** Asks the API server. Throws `Unreachable`. */
export async function readClusterFacts(api: ApiServer): Promise<ClusterFacts> {
  const [{ gitVersion }, kinds] = await Promise.all([api.json<{ gitVersion: string }>('/version'), everyKind(api)]);
  // Without what a vendor adds to it, as Argo CD hands it on (reposerver/repository, parseKubeVersion).
  return { kubeVersion: /\d+\.\d+\.\d+/.exec(gitVersion)?.[0] ?? gitVersion, kinds };
}

/**
 * What a chart sees as `.Capabilities.APIVersions`: each version and each kind in it that can be listed and watched
 * (util/argo, APIResourcesToStrings; gitops-engine, GetAPIResources).
 */
export function apiVersions({ kinds }: ClusterFacts): string[] {
  const watched = kinds.filter(({ verbs }) => verbs.includes('list') && verbs.includes('watch'));
  return [...new Set(watched.flatMap(({ apiVersion, kind }) => [apiVersion, `${apiVersion}/${kind}`]))].sort();
}

/** How the cluster serves the kind of an object, or undefined where it doesn't. */
export function servedAs({ kinds }: ClusterFacts, { apiVersion, kind }: KubeObject): ServedResource | undefined {
  return kinds.find((served) => served.apiVersion === apiVersion && served.kind === kind);
}

/** The path of an object at the API server. */
export function servedPath(
  { apiVersion, kind, resource }: ServedResource,
  { name, namespace }: KubeObject['metadata'],
): string {
  return `${collectionPath(apiVersion, kind, namespace, resource)}/${name}`;
}

interface GroupKind {
  group: string;
  kind: string;
}

interface ProjectSpec {
  namespaceResourceWhitelist?: GroupKind[];
  namespaceResourceBlacklist?: GroupKind[];
  clusterResourceWhitelist?: GroupKind[];
  clusterResourceBlacklist?: GroupKind[];
}

/**
 * Whether an AppProject lets its Applications deploy an object, by its kind. Where nothing is said of kinds in namespaces,
 * all of them may; of kinds outside of namespaces, none (pkg/apis/application, IsGroupKindNamePermitted).
 */
export function isKindAllowed(project: KubeObject, object: KubeObject, namespaced: boolean): boolean {
  const spec = project.spec as ProjectSpec;
  const among = (kinds: readonly GroupKind[] = []) => kinds.some((entry) => matchesKind(entry, object));
  if (!namespaced) return among(spec.clusterResourceWhitelist) && !among(spec.clusterResourceBlacklist);
  const listed = spec.namespaceResourceWhitelist;
  return (listed === undefined || among(listed)) && !among(spec.namespaceResourceBlacklist);
}

function matchesKind({ group, kind }: GroupKind, object: KubeObject): boolean {
  return (group === '*' || group === groupOf(object.apiVersion)) && (kind === '*' || kind === object.kind);
}
