import { isTracked } from '../../cluster/ownership.ts';
import type { ApiServer } from '../../kubernetes/api/api.ts';
import { groupOf, identityOf, type KubeObject } from '../../kubernetes/objects.ts';
import type { Application } from '../../repository/applications.ts';
import { type ClusterFacts, isKindAllowed } from './kinds.ts';
import { hookPhases } from './targets.ts';

/** What a sync would do with the objects that are no longer rendered. */
export interface PruneResult {
  pruned: KubeObject[];
  kept: { object: KubeObject; because: string }[];
}

/**
 * The metadata of every object that a project's Applications may have deployed. Of a kind that the project doesn't allow,
 * Argo CD sees none (controller/state.go, IsLiveResourcePermitted).
 */
export async function listDeployable(
  api: ApiServer,
  { kinds }: ClusterFacts,
  project: KubeObject,
): Promise<KubeObject[]> {
  const seen = new Set<string>();
  const first = kinds.filter(({ apiVersion, kind, namespaced, verbs }) => {
    const name = `${groupOf(apiVersion)} ${kind}`;
    const possible = verbs.includes('list') && verbs.includes('delete');
    const allowed = possible && isKindAllowed(project, { apiVersion, kind, metadata: { name: '' } }, namespaced);
    return allowed && !seen.has(name) && seen.add(name);
  });
  const lists = first.map(({ apiVersion, kind, resource }) => api.listMetadata(apiVersion, kind, resource));
  return (await Promise.all(lists)).flat();
}

/** Those of the objects that an Application deployed and no longer renders, but for its hooks and what is going already. */
export function pruneResult(
  application: Application,
  live: readonly KubeObject[],
  targets: readonly KubeObject[],
): PruneResult {
  const name = new Set([application.metadata.name]);
  const wanted = new Set(targets.map(identityOf));
  const left = live.filter(
    (object) =>
      isTracked(object, name) &&
      !wanted.has(identityOf(object)) &&
      object.metadata.ownerReferences === undefined &&
      object.metadata.deletionTimestamp === undefined &&
      hookPhases(object) === undefined,
  );
  const judged = left.map((object) => ({ object, because: reasonToKeep(application, object) }));
  return {
    pruned: judged.filter(({ because }) => because === undefined).map(({ object }) => object),
    kept: judged.flatMap(({ object, because }) => (because === undefined ? [] : [{ object, because }])),
  };
}

interface SyncPolicy {
  automated?: { prune?: boolean };
  syncOptions?: string[];
}

/** gitops-engine, sync/sync_context.go: the object's own option comes before the Application's. */
function reasonToKeep({ spec }: Application, { metadata }: KubeObject): string | undefined {
  const { automated, syncOptions = [] } = (spec.syncPolicy ?? {}) as SyncPolicy;
  const own = (metadata.annotations?.['argocd.argoproj.io/sync-options'] ?? '').split(',').map((one) => one.trim());
  const option = [...own, ...syncOptions].find((one) => one.startsWith('Prune='));
  if (option === 'Prune=false') return 'it says Prune=false';
  if (option === 'Prune=confirm') return 'it says Prune=confirm: Argo CD waits for somebody to confirm it';
  return automated?.prune ? undefined : 'its Application does not prune by itself';
}
