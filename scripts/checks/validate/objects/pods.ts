import { containerRule, type Fields, listOf, type ObjectRule, podRule, type RenderedPod } from './rule.ts';

/** What every pod keeps to, the services' as well as the parts that carry them, beyond what kube-score demands. */
export const podRules: readonly ObjectRule[] = [
  podRule({
    id: 'pod-host-namespaces',
    demands: 'No pod shares the network, the processes or the IPC of its node.',
    remedy: 'Leave hostNetwork, hostPID and hostIPC out.',
    violations: ({ spec, path }) =>
      ['hostNetwork', 'hostPID', 'hostIPC']
        .filter((field) => spec[field] === true)
        .map((field) => ({ path: [...path, field], message: 'the pod is not kept apart from its node.' })),
  }),
  podRule({
    id: 'pod-host-path',
    demands: 'No pod mounts a folder of its node.',
    remedy: 'Take an emptyDir, a ConfigMap or a PersistentVolumeClaim.',
    violations: ({ spec, path }) =>
      listOf(spec.volumes).flatMap(({ hostPath }, i) =>
        hostPath === undefined
          ? []
          : [{ path: [...path, 'volumes', i, 'hostPath'], message: `it mounts ${hostPath?.path} of its node.` }],
      ),
  }),
  podRule({
    id: 'pod-token',
    demands: 'A pod carries a token of the Kubernetes API only with a ServiceAccount of its own.',
    remedy: 'Set automountServiceAccountToken: false, or name a serviceAccountName with the rights that it needs.',
    violations: ({ spec, path }) =>
      spec.automountServiceAccountToken === false || (spec.serviceAccountName ?? 'default') !== 'default'
        ? []
        : [{ path, message: 'it carries the token of the account "default".' }],
  }),
  podRule({
    id: 'service-pull-secrets',
    demands: 'A service names the Secrets that its image is pulled with.',
    remedy: 'List them under imagePullSecrets in values.yaml.',
    kinds: ['Deployment'],
    violations: ({ spec, path, located }) =>
      located.rendering === undefined || listOf(spec.imagePullSecrets).some(({ name }) => name)
        ? []
        : [{ path: [...path, 'imagePullSecrets'], message: 'a private image could not be pulled.' }],
  }),
  containerRule({
    id: 'pod-non-root',
    demands: 'A container runs as a numbered user who is not root.',
    remedy: 'Set runAsNonRoot: true and a numeric runAsUser above 0 in the securityContext.',
    violation(container, path, pod) {
      const { runAsNonRoot, runAsUser } = securityOf(container, pod);
      if (runAsNonRoot === true && Number.isInteger(runAsUser) && runAsUser > 0) return undefined;
      const message = `runAsNonRoot is ${runAsNonRoot}, runAsUser ${runAsUser}.`;
      return { path: [...path, 'securityContext'], message };
    },
  }),
  containerRule({
    id: 'pod-privilege-escalation',
    demands: 'A process of a container gets no more rights than it started with.',
    remedy: 'Set allowPrivilegeEscalation: false and leave privileged out.',
    violation({ securityContext }, path) {
      const { allowPrivilegeEscalation, privileged } = securityContext ?? {};
      if (allowPrivilegeEscalation === false && privileged !== true) return undefined;
      const message = privileged === true ? 'the container is privileged.' : 'it may gain rights while it runs.';
      return { path: [...path, 'securityContext'], message };
    },
  }),
  containerRule({
    id: 'pod-capabilities',
    demands: 'A container drops all capabilities, and adds none.',
    remedy: 'Set capabilities: {drop: [ALL]}.',
    violation({ securityContext }, path) {
      const { drop, add } = securityContext?.capabilities ?? {};
      const at = [...path, 'securityContext'];
      if (!listOf(drop).includes('ALL')) return { path: at, message: 'it keeps capabilities that it does not need.' };
      if (listOf(add).length === 0) return undefined;
      return { path: [...at, 'capabilities', 'add'], message: `it adds ${listOf(add).join(', ')}.` };
    },
  }),
  containerRule({
    id: 'pod-seccomp',
    demands: 'A container runs under the seccomp profile RuntimeDefault.',
    remedy: 'Set seccompProfile: {type: RuntimeDefault} in the securityContext of the pod.',
    violation(container, path, pod) {
      const type = securityOf(container, pod).seccompProfile?.type;
      return type === 'RuntimeDefault' ? undefined : { path, message: `its seccomp profile is ${type ?? 'not set'}.` };
    },
  }),
  containerRule({
    id: 'pod-image-pinned',
    demands: 'An image is pinned by a tag that stays the same, or by a digest.',
    remedy: 'Name a version: repository:v1.2.3, or the short SHA of a commit.',
    violation({ image = '' }, path) {
      if (pinned.test(image)) return undefined;
      return { path: [...path, 'image'], message: `${image || 'no image'} can be another one tomorrow.` };
    },
  }),
  containerRule({
    id: 'pod-host-port',
    demands: 'No container takes a port of its node.',
    remedy: 'Leave hostPort out: a Service leads to the container.',
    violation({ ports }, path) {
      const i = listOf(ports).findIndex(({ hostPort }) => hostPort !== undefined);
      if (i < 0) return undefined;
      return { path: [...path, 'ports', i, 'hostPort'], message: `it takes port ${ports[i].hostPort} of its node.` };
    },
  }),
];

/** A digest, a version of three numbers, or a commit: `latest`, `main` and `22-alpine` are others tomorrow. */
const pinned = /@sha256:[0-9a-f]{64}$|:[^:/]*\d+\.\d+\.\d+[^:/]*$|:[0-9a-f]{7,40}$/;

/** A container's own settings win over its pod's. */
function securityOf(container: Fields, pod: RenderedPod): Fields {
  return { ...pod.spec.securityContext, ...container.securityContext };
}
