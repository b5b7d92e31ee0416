import { closest } from '../../../lib/text.ts';
import type { Located } from '../../../repository/rendering/finding.ts';
import type { FieldPath } from '../../../repository/yaml.ts';
import {
  type Fields,
  listOf,
  type ObjectRule,
  type RenderedPod,
  type RuleViolation,
  renderedPods,
} from '../policy/rule.ts';
import { lookUp, matchesSelector, objectNames, objectNamespace, selectedPods } from './cluster.ts';

const workloads = ['CronJob', 'DaemonSet', 'Deployment', 'Job', 'Pod', 'StatefulSet'];

/** What workloads need, and what is about them. */
export const workloadRules: readonly ObjectRule[] = [
  {
    id: 'selector-matches-template',
    demands: 'A workload selects the pods that it makes.',
    remedy: "Make spec.selector a part of the template's labels.",
    kinds: ['DaemonSet', 'Deployment', 'StatefulSet'],
    faults({ object }) {
      const { selector = {}, template } = object.spec as Fields;
      if (matchesSelector(selector, template?.metadata?.labels ?? {})) return [];
      return [{ path: ['spec', 'selector'], message: 'its own pods lack one of these labels.' }];
    },
  },
  {
    id: 'config-exists',
    demands: 'The ConfigMaps, Secrets and ServiceAccounts that a pod names exist in its namespace.',
    remedy:
      'Correct the name, or add the object; what the scripts make is named in scripts/checks/validate/references/cluster.ts.',
    kinds: workloads,
    faults: (located, all) =>
      renderedPods([located]).flatMap((pod) =>
        needsOf(pod).flatMap(({ kind, name, path }) => missing(located, all, kind, name, path)),
      ),
  },
  {
    id: 'hpa-target-exists',
    demands: 'An HPA scales something that exists.',
    remedy: 'Correct scaleTargetRef.',
    kinds: ['HorizontalPodAutoscaler'],
    faults(located, all) {
      const { kind = '', name = '' } = (located.object.spec as Fields)?.scaleTargetRef ?? {};
      return missing(located, all, kind, name, ['spec', 'scaleTargetRef']);
    },
  },
  {
    id: 'pdb-selects-pods',
    demands: 'A PodDisruptionBudget selects pods.',
    remedy: 'Make its selector the labels of the pods that it is for.',
    kinds: ['PodDisruptionBudget'],
    faults(located, all) {
      const { selector } = (located.object.spec ?? {}) as Fields;
      if (selectedPods(all, objectNamespace(located), selector).length > 0) return [];
      return [{ path: ['spec', 'selector'], message: 'no pod has these labels, so nothing is protected.' }];
    },
  },
  {
    id: 'binding-exists',
    demands: 'A binding gives a role that exists to accounts that exist.',
    remedy: 'Correct the name or the namespace.',
    kinds: ['ClusterRoleBinding', 'RoleBinding'],
    faults(located, all) {
      const { roleRef = {}, subjects = [] } = located.object as Fields;
      const roleNamespace = roleRef.kind === 'Role' ? objectNamespace(located) : undefined;
      const role: RuleViolation[] =
        lookUp(all, roleRef.kind, roleNamespace, roleRef.name) === undefined
          ? [{ path: ['roleRef'], message: `there is no ${roleRef.kind} ${roleRef.name}.` }]
          : [];
      const accounts = (subjects as Fields[]).flatMap(({ kind, name, namespace }, i): RuleViolation[] =>
        kind !== 'ServiceAccount' || lookUp(all, kind, namespace, name) !== undefined
          ? []
          : [{ path: ['subjects', i], message: `there is no ServiceAccount ${name} in ${namespace}.` }],
      );
      return [...role, ...accounts];
    },
  },
];

function missing(
  located: Located,
  all: readonly Located[],
  kind: string,
  name: string,
  path: FieldPath,
): RuleViolation[] {
  const namespace = objectNamespace(located);
  if (lookUp(all, kind, namespace, name) !== undefined) return [];
  const meant = closest(name, objectNames(all, kind, namespace));
  const hint = meant === undefined ? '' : ` Did you mean ${meant}?`;
  return [{ path, message: `there is no ${kind} ${name} in ${namespace}.${hint}` }];
}

interface Need {
  kind: string;
  name: string;
  path: FieldPath;
}

/** Everything that the kubelet has to find before it starts the pod. */
function needsOf({ spec, path, containers }: RenderedPod): Need[] {
  const found: Need[] = [];
  const add = (kind: string, name: unknown, at: FieldPath, optional?: unknown) => {
    if (typeof name === 'string' && optional !== true) found.push({ kind, name, path: at });
  };
  add('ServiceAccount', spec.serviceAccountName, [...path, 'serviceAccountName']);
  listOf(spec.imagePullSecrets).forEach(({ name }, i) => {
    add('Secret', name, [...path, 'imagePullSecrets', i]);
  });
  listOf(spec.volumes).forEach((volume, i) => {
    const at = [...path, 'volumes', i];
    add('ConfigMap', volume.configMap?.name, at, volume.configMap?.optional);
    add('Secret', volume.secret?.secretName, at, volume.secret?.optional);
    for (const source of listOf(volume.projected?.sources)) {
      add('ConfigMap', source.configMap?.name, at, source.configMap?.optional);
      add('Secret', source.secret?.name, at, source.secret?.optional);
    }
  });
  for (const { fields, path: above } of containers) {
    listOf(fields.envFrom).forEach(({ configMapRef, secretRef }, i) => {
      add('ConfigMap', configMapRef?.name, [...above, 'envFrom', i], configMapRef?.optional);
      add('Secret', secretRef?.name, [...above, 'envFrom', i], secretRef?.optional);
    });
    listOf(fields.env).forEach(({ valueFrom }, i) => {
      const { configMapKeyRef, secretKeyRef } = valueFrom ?? {};
      add('ConfigMap', configMapKeyRef?.name, [...above, 'env', i], configMapKeyRef?.optional);
      add('Secret', secretKeyRef?.name, [...above, 'env', i], secretKeyRef?.optional);
    });
  }
  return found;
}
