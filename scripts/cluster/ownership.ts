import type { Context } from '../images/context.ts';
import type { DiscoveredObject } from '../kubernetes/api/discovery.ts';
import { fieldManager } from '../kubernetes/kubectl.ts';
import { groupOf, type KubeObject, type ManagedFields } from '../kubernetes/objects.ts';
import { applicationApi } from '../repository/applications.ts';
import { readRegistrations } from '../repository/registrations.ts';

/** What of a cluster is the platform's. */
export interface Territory {
  /** The namespaces that it brought. */
  namespaces: ReadonlySet<string>;
  /** Whether it is in a namespace of the platform's, or of a kind that the platform brought: nobody else keeps anything there. */
  within(object: KubeObject): boolean;
  /** Whether it is the platform's: applied by `up`, deployed by its Argo CD, or within what it brought, and no older than it. */
  owns(object: KubeObject): boolean;
  /** Whether it runs, or ran, for one of the platform's Applications, by the labels of its charts: its Deployment may be gone. */
  ranFor(object: KubeObject): boolean;
}

/** Whose an object is: a component's, by its name; of the platform, but of no component; Kubernetes' own; or somebody's. */
export type Owner = { of: 'component'; name: string } | { of: 'platform' } | { of: 'kubernetes' } | { of: 'person' };

/** A question to a component. */
export interface Claim {
  name: string;
  owns(object: KubeObject): boolean;
}

/** The control plane by the names under which it writes: what nobody else had a hand in is its own. */
const controlPlane = /^kube-(apiserver|controller-manager|scheduler)$|^kubelet$|^kubeadm$/;

/** What Kubernetes puts into every namespace: https://kubernetes.io/docs/concepts/security/service-accounts/ and the root certificate. */
const inEveryNamespace: ReadonlySet<string> = new Set(['ServiceAccount default', 'ConfigMap kube-root-ca.crt']);

/** By what it is judged whose an object is. */
interface Grounds {
  territory: Pick<Territory, 'owns' | 'within'>;
  claims: readonly Claim[];
  /** When the cluster of kind was finished; undefined of a cluster that others use as well. */
  finished: Date | undefined;
}

/**
 * Whose an object is that no other one owns. A name alone makes nothing the platform's: a component is asked about what the
 * platform owns. In a cluster of kind, what is as old as the cluster came with Kubernetes and kind, whatever network and
 * storage those chose. In one that others use as well, what somebody put into a namespace of the platform, or made of a kind
 * that it brought, is that person's; all else is none of ours, as what Kubernetes has.
 */
export function ownerOf(object: KubeObject, { territory, claims, finished }: Grounds): Owner {
  const isOurs = territory.owns(object);
  const claim = isOurs ? claims.find(({ owns }) => owns(object)) : undefined;
  if (claim) return { of: 'component', name: claim.name };
  const isShared = finished === undefined;
  if ((isShared && !isOurs) || isKubernetes(object, finished)) return { of: 'kubernetes' };
  if (wasApplied(object)) return { of: 'platform' };
  return isShared && !territory.within(object) ? { of: 'kubernetes' } : { of: 'person' };
}

/** Whether `up` applied it, this version or an earlier one. */
export function wasApplied(object: KubeObject): boolean {
  return appliedEntries(object).length > 0;
}

function appliedEntries({ metadata }: KubeObject): ManagedFields[] {
  return (metadata.managedFields ?? []).filter(
    ({ manager, operation }) => manager === fieldManager && operation === 'Apply',
  );
}

/**
 * Whether nobody wrote a field of the object. Of one that is nothing but its name, as a Namespace without labels, the API
 * server does not keep that `up` applied it. One that kubectl created has kubectl's entry.
 */
export function isUnwritten({ metadata }: KubeObject): boolean {
  return (metadata.managedFields ?? []).length === 0;
}

/** The topmost fields that `up` applied and that nobody else has changed since, as in `f:spec`. */
export function appliedFields(object: KubeObject): ReadonlySet<string> {
  return new Set(appliedEntries(object).flatMap(({ fieldsV1 = {} }) => Object.keys(fieldsV1)));
}

function isKubernetes({ kind, metadata }: KubeObject, finished = new Date(0)): boolean {
  const { creationTimestamp = '', labels = {}, annotations = {}, managedFields = [] } = metadata;
  if (Date.parse(creationTimestamp) <= finished.getTime()) return true;
  if (inEveryNamespace.has(`${kind} ${metadata.name}`)) return true;
  // Made again by the API server where somebody deleted them.
  if ('kubernetes.io/bootstrapping' in labels) return true;
  // A volume that a provisioner made goes with the claim that it was made for.
  if (kind === 'PersistentVolume' && 'pv.kubernetes.io/provisioned-by' in annotations) return true;
  return managedFields.length > 0 && managedFields.every(({ manager = '' }) => controlPlane.test(manager));
}

/**
 * Tells apart what stands by itself from what another object owns and takes with it when it goes. An object whose
 * owners are all gone is only waiting to be collected.
 */
export function byDescent(objects: readonly DiscoveredObject[]): {
  roots: DiscoveredObject[];
  orphans: DiscoveredObject[];
} {
  const uids = new Set(objects.map(({ metadata }) => metadata.uid));
  const kinds = new Set(objects.map(({ kind }) => kind));
  const roots: DiscoveredObject[] = [];
  const orphans: DiscoveredObject[] = [];
  for (const object of objects) {
    const { ownerReferences = [] } = object.metadata;
    if (ownerReferences.length === 0) roots.push(object);
    // An owner of a kind that was not looked at may well be there.
    else if (ownerReferences.every(({ kind, uid }) => kinds.has(kind) && !uids.has(uid))) orphans.push(object);
  }
  return { roots, orphans };
}

/** Whether the object lives in the namespace, or is of the kind that the definition defines: it would go with either. */
export function isInside(object: DiscoveredObject, holder: KubeObject): boolean {
  if (holder.kind === 'Namespace') return object.metadata.namespace === holder.metadata.name;
  return (
    holder.kind === 'CustomResourceDefinition' &&
    holder.metadata.name === `${object.resource}.${groupOf(object.apiVersion)}`
  );
}

const trackingAnnotation = 'argocd.argoproj.io/tracking-id';

/**
 * Whether one of these Applications deployed the object. Argo CD writes its name and the object's into an annotation
 * ("Resource Tracking": APPLICATION:GROUP/KIND:NAMESPACE/NAME); one that was copied from another object counts for nothing.
 */
export function isTracked(object: KubeObject, applications: ReadonlySet<string>): boolean {
  const id = object.metadata.annotations?.[trackingAnnotation] ?? '';
  const application = id.slice(0, id.indexOf(':'));
  return applications.has(application) && id === trackingId(object, application)[trackingAnnotation];
}

/** The annotation by which an object is known as deployed by an Application. */
export function trackingId({ apiVersion, kind, metadata }: KubeObject, application: string): Record<string, string> {
  const itself = `${groupOf(apiVersion)}/${kind}:${metadata.namespace ?? ''}/${metadata.name}`;
  return { [trackingAnnotation]: `${application}:${itself}` };
}

/**
 * The names of the platform's Applications: those that Git registers, those that an earlier `up` did, and those that an
 * ApplicationSet generates.
 */
export async function applicationNames(context: Context): Promise<Set<string>> {
  const [{ applications }, present] = await Promise.all([
    readRegistrations(context.config.root),
    context.api().listMetadata(applicationApi, 'Application'),
  ]);
  return new Set(
    [...applications, ...present.filter((one) => wasApplied(one) || isGenerated(one))].map(
      ({ metadata }) => metadata.name,
    ),
  );
}

/** Whether an ApplicationSet made it. Every Argo CD of a cluster with the platform is the platform's. */
export function isGenerated({ metadata }: KubeObject): boolean {
  return metadata.ownerReferences?.some(({ kind }) => kind === 'ApplicationSet') ?? false;
}
