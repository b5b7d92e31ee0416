import { isDeepStrictEqual } from 'node:util';
import { closest } from '../../../lib/text.ts';
import type { Located } from '../../../repository/rendering/finding.ts';
import type { ValidationCheck } from '../../../repository/rendering/repository.ts';
import type { FieldPath } from '../../../repository/yaml.ts';
import { exists, isClusterWide, objectNames, objectNamespace, selectedPods } from './lookup.ts';
import {
  checkObjects,
  type Fields,
  listOf,
  type ObjectRule,
  type RenderedPod,
  sentences,
  type Violation,
} from './rule.ts';

/** Whether what objects say of each other is true, beyond what kube-score looks at. */
const referenceRules: readonly ObjectRule[] = [
  {
    id: 'namespace-exists',
    demands: 'A plain object names the namespace that it belongs into, and that namespace exists.',
    remedy: 'Set metadata.namespace to a namespace of a manifest here.',
    *object(located, all) {
      if (isClusterWide(located.object.kind)) return;
      const namespace = objectNamespace(located);
      if (namespace === undefined) yield [['metadata'], 'it has no namespace: the kubeconfig decides.'];
      else if (!exists(all, 'Namespace', undefined, namespace))
        yield [['metadata', 'namespace'], `there is no namespace ${namespace}.`];
    },
  },
  {
    id: 'object-is-unique',
    demands: 'No object is there twice, but for one that two manifests state alike.',
    remedy: 'Remove one of them, or give it another name.',
    *object(located, all) {
      const { apiVersion, kind, metadata } = located.object;
      const twin = all.find(
        (other) =>
          other.object.kind === kind &&
          other.object.metadata?.name === metadata?.name &&
          other.object.apiVersion === apiVersion &&
          objectNamespace(other) === objectNamespace(located),
      );
      if (twin === undefined || isDeepStrictEqual(twin.object, located.object)) return;
      yield [['metadata', 'name'], `${twin.file} has it, too.`];
    },
  },
  {
    id: 'service-port-exists',
    demands: 'A port of a Service leads to a port of each pod that it selects.',
    remedy: 'Name a port of the container as targetPort.',
    kinds: ['Service'],
    *object(located, all) {
      const { selector, ports } = specOf(located);
      const pods = selector ? selectedPods(all, objectNamespace(located), { matchLabels: selector }) : [];
      for (const [i, { port, targetPort = port }] of listOf(ports).entries()) {
        const without = pods.find((pod) => !hasPort(pod, targetPort))?.located.object;
        if (without === undefined) continue;
        const message = `${without.kind} ${without.metadata.name} has no port ${targetPort}.`;
        yield [['spec', 'ports', i], message];
      }
    },
  },
  {
    id: 'ingress-class-exists',
    demands: 'An Ingress names an IngressClass that exists, so that a controller looks after it.',
    remedy: 'Set ingressClassName to an IngressClass of ingress/.',
    kinds: ['Ingress'],
    *object(located, all) {
      const { ingressClassName: name } = specOf(located);
      if (name !== undefined && exists(all, 'IngressClass', undefined, name)) return;
      yield [['spec', 'ingressClassName'], `there is no IngressClass ${name ?? ''}.`];
    },
  },
  {
    id: 'network-policy-selects-pods',
    demands: 'The pods, the namespaces and the ports that a NetworkPolicy names exist.',
    remedy: 'Correct the labels or the name.',
    kinds: ['NetworkPolicy'],
    *object(located, all) {
      const spec = specOf(located);
      const own = selectedPods(all, objectNamespace(located), spec.podSelector ?? {});
      for (const [way, peers] of [
        ['ingress', 'from'],
        ['egress', 'to'],
      ] as const) {
        for (const [i, rule] of listOf(spec[way]).entries()) {
          for (const [j, peer] of listOf(rule[peers]).entries())
            yield* peerViolations(located, all, peer, ['spec', way, i, peers, j]);
          // The ports of the way out are those of other pods.
          for (const [j, { port }] of listOf(way === 'ingress' ? rule.ports : []).entries()) {
            if (typeof port !== 'string' || own.every((pod) => hasPort(pod, port))) continue;
            yield [['spec', way, i, 'ports', j, 'port'], `the pods have no port ${port}.`];
          }
        }
      }
    },
  },
  {
    id: 'config-exists',
    demands: 'The ConfigMaps, Secrets and ServiceAccounts that a pod names exist in its namespace.',
    remedy:
      'Correct the name, or add the object; what the scripts make is named in scripts/checks/validate/objects/lookup.ts.',
    *pod({ located, spec }, all) {
      const namespace = objectNamespace(located);
      for (const need of needsOf(spec)) {
        if (exists(all, need.kind, namespace, need.name)) continue;
        const meant = closest(need.name, objectNames(all, need.kind, namespace));
        const hint = meant === undefined ? '' : ` Did you mean ${meant}?`;
        yield [need.path, `there is no ${need.kind} ${need.name} in ${namespace}.${hint}`];
      }
    },
  },
  {
    id: 'binding-exists',
    demands: 'A binding gives a role that exists to accounts that exist.',
    remedy: 'Correct the name or the namespace.',
    kinds: ['ClusterRoleBinding', 'RoleBinding'],
    *object(located, all) {
      const { roleRef = {}, subjects } = located.object as Fields;
      const roleNamespace = roleRef.kind === 'Role' ? objectNamespace(located) : undefined;
      if (!exists(all, roleRef.kind, roleNamespace, roleRef.name))
        yield [['roleRef'], `there is no ${roleRef.kind} ${roleRef.name}.`];
      for (const [i, { kind, name, namespace }] of listOf(subjects).entries()) {
        if (kind !== 'ServiceAccount' || exists(all, kind, namespace, name)) continue;
        yield [['subjects', i], `there is no ServiceAccount ${name} in ${namespace}.`];
      }
    },
  },
];

/** Whether what the objects say of each other is true. */
export const validateReferences: ValidationCheck = {
  name: 'references',
  title: 'objects name others that exist',
  rules: sentences(referenceRules),
  run: (repository) => checkObjects(repository, referenceRules),
};

const namespaceNameLabel = 'kubernetes.io/metadata.name';

/** Whom a policy lets in or out, as far as that is known here. */
function* peerViolations(
  located: Located,
  all: readonly Located[],
  { podSelector, namespaceSelector }: Fields,
  path: FieldPath,
): Iterable<Violation> {
  if (namespaceSelector === undefined && podSelector !== undefined) {
    if (selectedPods(all, objectNamespace(located), podSelector).length > 0) return;
    yield [[...path, 'podSelector'], 'no pod has these labels.'];
  }
  const { matchLabels, matchExpressions } = namespaceSelector ?? {};
  const named = listOf(matchExpressions).filter(({ key, operator }) => key === namespaceNameLabel && operator === 'In');
  for (const name of [matchLabels?.[namespaceNameLabel], ...named.flatMap(({ values }) => listOf(values))]) {
    if (name === undefined || exists(all, 'Namespace', undefined, name)) continue;
    yield [[...path, 'namespaceSelector'], `there is no namespace ${name}.`];
  }
}

/** The fields by which a pod names another object, wherever they stand: in volumes, in variables. */
const references: Record<string, string> = {
  configMap: 'ConfigMap',
  configMapRef: 'ConfigMap',
  configMapKeyRef: 'ConfigMap',
  secret: 'Secret',
  secretRef: 'Secret',
  secretKeyRef: 'Secret',
};

/** Everything that the kubelet has to find before it starts the pod. */
function* needsOf(value: Fields, path: FieldPath = []): Iterable<{ kind: string; name: string; path: FieldPath }> {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries<Fields>(value)) {
    const at = [...path, Array.isArray(value) ? Number(key) : key];
    const kind = references[key];
    const name = inner?.secretName ?? inner?.name;
    if (kind !== undefined && name !== undefined && inner.optional !== true) yield { kind, name, path: at };
    if (key === 'serviceAccountName') yield { kind: 'ServiceAccount', name: inner, path: at };
    if (key === 'imagePullSecrets')
      for (const secret of listOf(inner)) yield { kind: 'Secret', name: secret.name, path: at };
    else yield* needsOf(inner, at);
  }
}

function hasPort({ containers }: RenderedPod, port: string | number): boolean {
  return containers
    .flatMap(({ fields }) => listOf(fields.ports))
    .some(({ name, containerPort }) => name === port || containerPort === port);
}

function specOf({ object }: Located): Fields {
  return object.spec ?? {};
}
