import type { KubeObject, Metadata } from '../../kubernetes/objects.ts';
import { type Edit, editsOf, setByArgocd } from './by-hand.ts';
import type { Change, Resource, Watched } from './drift.ts';

/** The objects of the cluster by `keyOf`, as far as they belong to Applications. */
export type Present = ReadonlyMap<string, KubeObject>;

/** What tells an object from every other one, in the words in which an Application's status lists it. */
export function keyOf({ group = '', kind, namespace = '', name }: Omit<Resource, 'version'>): string {
  return [group, kind, namespace, name].join(' ');
}

/**
 * What somebody changed by hand of what an Application deployed. Argo CD's own judgement is seconds old at times, and its
 * controller may not run: so the objects are looked at as well. What Git is just changing is no change by hand.
 */
export function changesOf({ metadata, status = {} }: Watched, present: Present): Change[] {
  // Whoever deletes an Application means it.
  if (metadata.deletionTimestamp !== undefined) return [];
  const deploying = isDeploying(status);
  const changeOf = (resource: Resource): Pick<Change, 'what' | 'edits' | 'argocd'> | undefined => {
    const outOfSync = resource.status === 'OutOfSync';
    const ofGit = outOfSync && deploying;
    const object = present.get(keyOf(resource));
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) {
      return ofGit ? undefined : { what: 'deleted', edits: [], argocd: outOfSync ? 'sees it' : 'has not looked yet' };
    }
    const edits = editsOf(object.metadata);
    if (edits.length === 0 && (ofGit || !outOfSync || setSince(object.metadata, status.reconciledAt))) return undefined;
    return { what: 'edited', edits, argocd: judgement(outOfSync, edits, status.reconciledAt) };
  };
  return (status.resources ?? []).flatMap((resource) => {
    // Git does not have it any more, and Argo CD is about to delete it.
    const change = resource.requiresPruning ? undefined : changeOf(resource);
    const { kind, namespace, name } = resource;
    return change
      ? [{ application: metadata.name, kind, ...(namespace !== undefined && { namespace }), name, ...change }]
      : [];
  });
}

/** Whether Argo CD is bringing another commit, so that what differs may be what Git changed. */
function isDeploying({ sync, operationState }: NonNullable<Watched['status']>): boolean {
  return operationState?.phase === 'Running' || operationState?.syncResult?.revision !== sync?.revision;
}

/** Whether Argo CD has set the object right since it looked last. */
function setSince(metadata: Metadata, lookedAt = ''): boolean {
  const at = setByArgocd(metadata);
  return at !== undefined && at >= Date.parse(lookedAt);
}

/** Both times are whole seconds: an edit of the same second may have come behind the look. */
function judgement(outOfSync: boolean, edits: readonly Edit[], lookedAt = ''): Change['argocd'] {
  if (outOfSync) return 'sees it';
  return edits.some(({ at }) => at >= lookedAt) ? 'has not looked yet' : 'leaves it';
}
