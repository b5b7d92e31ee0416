import { fieldManager } from '../../kubernetes/kubectl.ts';
import type { ManagedFields, Metadata } from '../../kubernetes/objects.ts';
import { fieldPaths } from './fields.ts';

/** Fields of an object that belong to a person's tool: whoever changed them last. */
export interface Edit {
  /** The tool's name for itself, as kubectl-edit. */
  by: string;
  /** When that was, as ISO 8601, whole seconds. */
  at: string;
  fields: string[];
}

/** The name under which Argo CD applies what Git says. */
export const argocdManager = 'argocd-controller';

/** Who writes without a person behind it: the control plane, Argo CD, and `up`. */
const automatic = new RegExp(
  `^(kube-(apiserver|controller-manager|scheduler)|kubelet|${fieldManager}|argocd-.*controller)$`,
);

/** kubectl's own notes beside an edit. */
const notes = /\[(kubectl\.kubernetes\.io\/last-applied-configuration|kubernetes\.io\/change-cause)\]$/;

/**
 * What people changed of an object and nobody has changed since, by the book that the API server keeps of it. Once Argo CD
 * has set a field back, it is Argo CD's again. A field that somebody took away is in no book.
 */
export function editsOf({ managedFields = [] }: Metadata): Edit[] {
  return managedFields.filter(isByHand).flatMap(({ manager = '', time = '', fieldsV1 = {} }) => {
    const fields = fieldPaths(fieldsV1).filter((path) => !notes.test(path));
    return fields.length === 0 ? [] : [{ by: manager, at: time, fields }];
  });
}

function isByHand({ manager = '', subresource }: ManagedFields): boolean {
  return subresource !== 'status' && !automatic.test(manager);
}

/** When Argo CD last changed a field of the object, milliseconds since 1970; undefined if it never did. */
export function setByArgocd({ managedFields = [] }: Metadata): number | undefined {
  const own = managedFields.find(({ manager, operation }) => manager === argocdManager && operation === 'Apply');
  return own?.time === undefined ? undefined : Date.parse(own.time);
}
