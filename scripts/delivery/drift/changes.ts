import { fieldManager } from '../../kubernetes/kubectl.ts';
import type { KubeObject, ManagedFields, Metadata, Named } from '../../kubernetes/objects.ts';
import type { Application, ApplicationResource } from '../../repository/applications.ts';

/** The objects of the cluster by `keyOf`, as far as they belong to Applications. */
export type PresentObjects = ReadonlyMap<string, KubeObject>;

/** What tells an object from every other one, in the words in which an Application's status lists it. */
export function keyOf({ group = '', kind, namespace = '', name }: Omit<ApplicationResource, 'version'>): string {
  return [group, kind, namespace, name].join(' ');
}

/**
 * What somebody changed by hand of what an Application deployed. Argo CD's own judgement is seconds old at times, and its
 * controller may not run: so the objects are looked at as well. What Git is just changing is no change by hand.
 */
export function driftChanges({ metadata, status = {} }: Application, present: PresentObjects): DriftChange[] {
  // Whoever deletes an Application means it.
  if (metadata.deletionTimestamp !== undefined) return [];
  const deploying = isDeploying(status);
  const changeOf = (resource: ApplicationResource): Pick<DriftChange, 'what' | 'edits' | 'argocd'> | undefined => {
    const outOfSync = resource.status === 'OutOfSync';
    const ofGit = outOfSync && deploying;
    const object = present.get(keyOf(resource));
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) {
      return ofGit ? undefined : { what: 'deleted', edits: [], argocd: outOfSync ? 'sees it' : 'has not looked yet' };
    }
    const edits = manualEdits(object.metadata);
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
function isDeploying({ sync, operationState }: NonNullable<Application['status']>): boolean {
  return operationState?.phase === 'Running' || operationState?.syncResult?.revision !== sync?.revision;
}

/** Whether Argo CD has set the object right since it looked last. */
function setSince(metadata: Metadata, lookedAt = ''): boolean {
  const at = lastAppliedByArgocd(metadata);
  return at !== undefined && at >= Date.parse(lookedAt);
}

/** Both times are whole seconds: an edit of the same second may have come behind the look. */
function judgement(outOfSync: boolean, edits: readonly ManualEdit[], lookedAt = ''): DriftChange['argocd'] {
  if (outOfSync) return 'sees it';
  return edits.some(({ at }) => at >= lookedAt) ? 'has not looked yet' : 'leaves it';
}

/** A change by hand that is there now. */
export interface DriftChange extends Named {
  application: string;
  what: 'edited' | 'deleted';
  /** Who changed which fields; empty where nobody can tell. */
  edits: ManualEdit[];
  /**
   * What comes of it: Argo CD sees that it is not what Git says, has not looked since, or sees no difference from what
   * Git says, so that it stays.
   */
  argocd: 'sees it' | 'has not looked yet' | 'leaves it';
}

/** A change by hand that Argo CD undid. */
export interface SelfHeal {
  application: string;
  /** When Argo CD noticed, as ISO 8601. */
  at: string;
  /** Seconds from there until all was as Git says. */
  seconds: number;
  /** The commit whose state it restored. */
  revision: string;
  /** What was set back or made anew, as far as the cluster still tells. */
  objects: (Named & { what: 'set back' | 'made anew' })[];
}

export interface Drift {
  now: DriftChange[];
  /** Oldest first; Kubernetes keeps events for an hour. */
  healed: SelfHeal[];
  /** The Applications that `npm run drill` has pointed elsewhere, or left so when it was killed, each with the drill's name. */
  drilled: { application: string; drill: string }[];
}

/** Fields of an object that belong to a person's tool: whoever changed them last. */
interface ManualEdit {
  /** The tool's name for itself, as kubectl-edit. */
  by: string;
  /** When that was, as ISO 8601, whole seconds. */
  at: string;
  fields: string[];
}

/** The name under which Argo CD applies what Git says. */
export const argocdManager = 'argocd-controller';

/** Who writes without a person behind it: the control plane, Argo CD, and `up`. */
const controllers = new RegExp(
  `^(kube-(apiserver|controller-manager|scheduler)|kubelet|${fieldManager}|argocd-.*controller)$`,
);

/** kubectl's own notes beside an edit. */
const kubectlNotes = /\[(kubectl\.kubernetes\.io\/last-applied-configuration|kubernetes\.io\/change-cause)\]$/;

/**
 * What people changed of an object and nobody has changed since, by the book that the API server keeps of it. Once Argo CD
 * has set a field back, it is Argo CD's again. A field that somebody took away is in no book.
 */
export function manualEdits({ managedFields = [] }: Metadata): ManualEdit[] {
  return managedFields.filter(isManualEdit).flatMap(({ manager = '', time = '', fieldsV1 = {} }) => {
    const fields = fieldPaths(fieldsV1).filter((path) => !kubectlNotes.test(path));
    return fields.length === 0 ? [] : [{ by: manager, at: time, fields }];
  });
}

function isManualEdit({ manager = '', subresource }: ManagedFields): boolean {
  return subresource !== 'status' && !controllers.test(manager);
}

/** When Argo CD last changed a field of the object, milliseconds since 1970; undefined if it never did. */
export function lastAppliedByArgocd({ managedFields = [] }: Metadata): number | undefined {
  const own = managedFields.find(({ manager, operation }) => manager === argocdManager && operation === 'Apply');
  return own?.time === undefined ? undefined : Date.parse(own.time);
}

/**
 * The fields of a tree of the API server's field managers, as paths that a person reads: 'spec.replicas',
 * 'spec.template.spec.containers[core-go].image'. Of a list or map that belongs to somebody as a whole, only the top is
 * named. Format: https://pkg.go.dev/k8s.io/apimachinery/pkg/apis/meta/v1#FieldsV1
 */
export function fieldPaths(tree: object, above = ''): string[] {
  return Object.entries(tree).flatMap(([key, below]) => {
    // That the field above belongs to somebody is said by what is below it, or by its own line.
    if (key === '.') return [];
    const path = above + step(key, above);
    const deeper = fieldPaths((below ?? {}) as object, path);
    return deeper.length > 0 ? deeper : [path];
  });
}

/** One step of a path: a field, the entry of a list by its keys, a value of a set, or a place in a list. */
function step(key: string, above: string): string {
  const [form, rest] = [key.slice(0, 2), key.slice(2)];
  if (form === 'k:') return `[${Object.values(parseKey(rest) as object).join(' ')}]`;
  if (form === 'v:') return `[${String(parseKey(rest))}]`;
  if (form === 'i:') return `[${rest}]`;
  // The names of labels and annotations have dots of their own.
  if (/[./]/.test(rest)) return `[${rest}]`;
  return above === '' ? rest : `.${rest}`;
}

function parseKey(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
