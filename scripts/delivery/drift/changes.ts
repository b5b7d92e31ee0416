import { fieldManager } from '../../kubernetes/kubectl.ts';
import { type KubeObject, type ManagedFields, type Metadata, type Named, namedOf } from '../../kubernetes/objects.ts';
import type { Application, ApplicationResource } from '../../repository/applications.ts';

/** A change by hand that is there now. */
export interface DriftChange extends Named {
  application: string;
  what: 'edited' | 'deleted';
  /** Who changed which fields; empty where that can't be told. */
  edits: ManualEdit[];
  /**
   * What comes of it: Argo CD sees that it is not what Git says, has not looked since, or sees no difference from what
   * Git says, so that it stays.
   */
  argocd: 'sees it' | 'has not looked yet' | 'leaves it';
}

/** Fields of an object that belong to a tool which you run: it changed them last. */
interface ManualEdit {
  /** The tool's name for itself, as kubectl-edit. */
  by: string;
  /** When that was, as ISO 8601, whole seconds. */
  at: string;
  fields: string[];
}

/** The objects of the cluster by `identityOf`, as far as they belong to Applications. */
export type PresentObjects = ReadonlyMap<string, KubeObject>;

/** The object that an Application's status lists, or undefined. */
export function presentObject(present: PresentObjects, resource: Omit<ApplicationResource, 'version'>) {
  const { group = '', kind, namespace = '', name } = resource;
  return present.get([group, kind, namespace, name].join(' '));
}

/**
 * What was changed by hand of what an Application deployed. Argo CD's own judgement is seconds old at times, and its
 * controller may not run: so the objects are looked at as well. What Git is just changing is no change by hand.
 */
export function driftChanges({ metadata, status = {} }: Application, present: PresentObjects): DriftChange[] {
  // An Application is deleted on purpose, with all that it deployed.
  if (metadata.deletionTimestamp !== undefined) return [];
  return (status.resources ?? []).flatMap((resource) => {
    const change = changeOf(resource, presentObject(present, resource), status);
    const named = namedOf({ kind: resource.kind, metadata: resource });
    return change ? [{ application: metadata.name, ...named, ...change }] : [];
  });
}

function changeOf(
  { status, requiresPruning }: ApplicationResource,
  object: KubeObject | undefined,
  { sync, operationState, reconciledAt = '' }: NonNullable<Application['status']>,
): Pick<DriftChange, 'what' | 'edits' | 'argocd'> | undefined {
  // Git does not have it any more, and Argo CD is about to delete it.
  if (requiresPruning) return undefined;
  const outOfSync = status === 'OutOfSync';
  const deploying = operationState?.phase === 'Running' || operationState?.syncResult?.revision !== sync?.revision;
  // While Argo CD brings another commit, what differs may be what Git changed.
  const changedByGit = outOfSync && deploying;
  if (object === undefined || object.metadata.deletionTimestamp !== undefined)
    return changedByGit
      ? undefined
      : { what: 'deleted', edits: [], argocd: outOfSync ? 'sees it' : 'has not looked yet' };
  const edits = manualEdits(object.metadata);
  const revertedSince = (lastAppliedByArgocd(object.metadata) ?? 0) >= Date.parse(reconciledAt);
  if (edits.length === 0 && (!outOfSync || changedByGit || revertedSince)) return undefined;
  // Both times are whole seconds: an edit of the same second may have come after the look.
  const unseen = edits.some(({ at }) => at >= reconciledAt);
  return { what: 'edited', edits, argocd: outOfSync ? 'sees it' : unseen ? 'has not looked yet' : 'leaves it' };
}

/** The name under which Argo CD applies what Git says. */
export const argocdManager = 'argocd-controller';

/** What is not you: the control plane, Argo CD, and `up`. */
const controllers = new RegExp(
  `^(kube-(apiserver|controller-manager|scheduler)|kubelet|${fieldManager}|argocd-.*controller)$`,
);

/** kubectl's own notes beside an edit. */
const kubectlNotes = /\[(kubectl\.kubernetes\.io\/last-applied-configuration|kubernetes\.io\/change-cause)\]$/;

/**
 * What was changed by hand of an object and not changed since, by the API server's managed fields. Once Argo CD has set a
 * field back, it is Argo CD's again. A field that was removed is not recorded there.
 */
export function manualEdits({ managedFields = [] }: Metadata): ManualEdit[] {
  const isManual = ({ manager = '', subresource }: ManagedFields) =>
    subresource !== 'status' && !controllers.test(manager);
  return managedFields.filter(isManual).flatMap(({ manager = '', time = '', fieldsV1 = {} }) => {
    const fields = fieldPaths(fieldsV1).filter((path) => !kubectlNotes.test(path));
    return fields.length === 0 ? [] : [{ by: manager, at: time, fields }];
  });
}

/** When Argo CD last changed a field of the object, milliseconds since 1970; undefined if it never did. */
export function lastAppliedByArgocd({ managedFields = [] }: Metadata): number | undefined {
  const own = managedFields.find(({ manager, operation }) => manager === argocdManager && operation === 'Apply');
  return own?.time === undefined ? undefined : Date.parse(own.time);
}

/**
 * The fields of a tree of the API server's field managers, as you would write them: 'spec.replicas',
 * 'spec.template.spec.containers[core-go].image'. Of a list or map that belongs to one manager as a whole, only the top is
 * named. Format: https://pkg.go.dev/k8s.io/apimachinery/pkg/apis/meta/v1#FieldsV1
 */
export function fieldPaths(tree: object, above = ''): string[] {
  return Object.entries(tree).flatMap(([key, below]) => {
    // That the field above has a manager is said by what is below it, or by its own line.
    if (key === '.') return [];
    const path = above + step(key, above);
    const deeper = fieldPaths((below ?? {}) as object, path);
    return deeper.length > 0 ? deeper : [path];
  });
}

/** One step of a path: a field, the entry of a list by its keys, a value of a set, or a place in a list. */
function step(key: string, above: string): string {
  const [form, rest] = [key.slice(0, 2), key.slice(2)];
  if (form === 'k:') return `[${Object.values(JSON.parse(rest)).join(' ')}]`;
  if (form === 'v:') return `[${JSON.parse(rest)}]`;
  // The names of labels and annotations have dots of their own.
  if (form === 'i:' || /[./]/.test(rest)) return `[${rest}]`;
  return above === '' ? rest : `.${rest}`;
}
