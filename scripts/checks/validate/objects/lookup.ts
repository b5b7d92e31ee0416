import { pullSecretName } from '../../../images/credentials/credentials.ts';
import { isClusterKind } from '../../../repository/registrations.ts';
import type { Located } from '../../../repository/rendering/finding.ts';
import { type Fields, type RenderedPod, renderedPods } from './rule.ts';

/** What is in the cluster without being in a manifest of this repository, each with who makes it. */
const externalObjects: readonly { kind: string; namespace?: string; name: string; by: string }[] = [
  { kind: 'Namespace', name: 'default', by: 'Kubernetes' },
  { kind: 'Namespace', name: 'kube-system', by: 'Kubernetes' },
  { kind: 'Namespace', name: 'argocd', by: 'npm run up' },
  { kind: 'Service', namespace: 'argocd', name: 'argocd-server', by: "Argo CD's install.yaml" },
  { kind: 'ClusterRole', name: 'system:auth-delegator', by: 'Kubernetes' },
  { kind: 'Role', namespace: 'kube-system', name: 'extension-apiserver-authentication-reader', by: 'Kubernetes' },
  { kind: 'Secret', namespace: 'observability', name: 'grafana-admin', by: 'npm run up' },
  { kind: 'Secret', namespace: 'ingress-nginx', name: 'ingress-nginx-admission', by: 'its Job' },
];

/** Whether objects of the kind belong to the cluster as a whole, as kind's configuration of it does. */
export function isClusterWide(kind: string): boolean {
  return kind === 'Cluster' || isClusterKind(kind);
}

/** Where an object lives; nothing for one that belongs to the cluster as a whole, or that doesn't say. */
export function objectNamespace({ object, rendering }: Located): string | undefined {
  if (isClusterWide(object.kind)) return undefined;
  return object.metadata?.namespace ?? rendering?.namespace;
}

/** @returns whether there is an object of that name, here, or what something else makes. */
export function exists(all: readonly Located[], kind: string, namespace: string | undefined, name: string): boolean {
  // What kubeseal sealed becomes a Secret of the same name.
  const made = kind === 'Secret' ? ['Secret', 'SealedSecret'] : [kind];
  // `up` makes the namespaces of the services, and where there is a token, a pull secret in each.
  const space = kind === 'Namespace' ? name : kind === 'Secret' && name === pullSecretName ? namespace : undefined;
  if (space !== undefined && all.some(({ rendering }) => rendering?.namespace === space)) return true;
  return (
    all.some(
      (located) =>
        located.object.metadata?.name === name &&
        made.includes(located.object.kind) &&
        objectNamespace(located) === namespace,
    ) || externalObjects.some((one) => one.kind === kind && one.name === name && one.namespace === namespace)
  );
}

/** The names of all objects of a kind in a namespace, for a suggestion. */
export function objectNames(all: readonly Located[], kind: string, namespace: string | undefined): string[] {
  return all
    .filter((located) => located.object.kind === kind && objectNamespace(located) === namespace)
    .map(({ object }) => object.metadata.name);
}

/** The pods of a namespace that a label selector chooses. An empty selector chooses all, none at all chooses nothing. */
export function selectedPods(all: readonly Located[], namespace: string | undefined, selector: Fields): RenderedPod[] {
  if (selector === undefined || selector === null) return [];
  return renderedPods(all.filter((located) => objectNamespace(located) === namespace)).filter(({ labels }) =>
    matchesSelector(selector, labels),
  );
}

/** matchLabels and matchExpressions, as https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/ says. */
export function matchesSelector(selector: Fields, labels: Record<string, string>): boolean {
  const equal = Object.entries(selector.matchLabels ?? {}).every(([name, value]) => labels[name] === value);
  const expressions: Fields[] = selector.matchExpressions ?? [];
  return (
    equal &&
    expressions.every(({ key, operator, values = [] }) => {
      const value = labels[key];
      if (operator === 'In') return value !== undefined && values.includes(value);
      if (operator === 'NotIn') return value === undefined || !values.includes(value);
      return operator === 'Exists' ? value !== undefined : value === undefined;
    })
  );
}
