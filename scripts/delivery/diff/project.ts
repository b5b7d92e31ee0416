import { groupOf, type KubeObject } from '../../kubernetes/objects.ts';

interface Kind {
  group: string;
  kind: string;
}

interface ProjectSpec {
  namespaceResourceWhitelist?: Kind[];
  namespaceResourceBlacklist?: Kind[];
  clusterResourceWhitelist?: Kind[];
  clusterResourceBlacklist?: Kind[];
}

/**
 * Whether an AppProject lets its Applications deploy an object, by its kind. Where nothing is said of kinds in namespaces,
 * all of them may; of kinds outside of namespaces, none (pkg/apis/application, IsGroupKindNamePermitted).
 */
export function isAllowed(project: KubeObject, object: KubeObject, namespaced: boolean): boolean {
  const spec = project.spec as ProjectSpec;
  const among = (kinds: readonly Kind[] = []) => kinds.some((entry) => fits(entry, object));
  if (!namespaced) return among(spec.clusterResourceWhitelist) && !among(spec.clusterResourceBlacklist);
  const listed = spec.namespaceResourceWhitelist;
  return (listed === undefined || among(listed)) && !among(spec.namespaceResourceBlacklist);
}

function fits({ group, kind }: Kind, object: KubeObject): boolean {
  return (group === '*' || group === groupOf(object.apiVersion)) && (kind === '*' || kind === object.kind);
}
