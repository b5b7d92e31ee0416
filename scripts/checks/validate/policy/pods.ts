import type { ContainerRule, Fields, PodRule, RenderedContainer, RenderedPod } from './rule.ts';

/** What every pod of the platform keeps to. */
export const podRules: readonly PodRule[] = [
  {
    id: 'pod-host-namespaces',
    demands: 'No pod shares the network, the processes or the IPC of its node.',
    remedy: 'Leave hostNetwork, hostPID and hostIPC out.',
    faults: ({ spec, path }) =>
      ['hostNetwork', 'hostPID', 'hostIPC']
        .filter((field) => spec[field] === true)
        .map((field) => ({ path: [...path, field], message: 'the pod is not kept apart from its node.' })),
  },
  {
    id: 'pod-host-path',
    demands: 'No pod mounts a folder of its node.',
    remedy: 'Take an emptyDir, a ConfigMap or a PersistentVolumeClaim.',
    faults: ({ spec, path }) =>
      ((spec.volumes ?? []) as Fields[]).flatMap((volume, i) =>
        volume?.hostPath === undefined
          ? []
          : [{ path: [...path, 'volumes', i, 'hostPath'], message: `it mounts ${volume.hostPath?.path} of its node.` }],
      ),
  },
  {
    id: 'pod-token',
    demands: 'A pod carries a token of the Kubernetes API only with a ServiceAccount of its own.',
    remedy: 'Set automountServiceAccountToken: false, or name a serviceAccountName with the rights that it needs.',
    faults: ({ spec, path }) =>
      spec.automountServiceAccountToken === false || (spec.serviceAccountName ?? 'default') !== 'default'
        ? []
        : [{ path, message: 'it carries the token of the account "default".' }],
  },
];

/** What every container of the platform keeps to, the services' as well as the parts that carry them. */
export const containerRules: readonly ContainerRule[] = [
  {
    id: 'pod-non-root',
    demands: 'A container runs as a numbered user who is not root.',
    remedy: 'Set runAsNonRoot: true and a numeric runAsUser above 0 in the securityContext.',
    fault({ fields, path }, pod) {
      const { runAsNonRoot, runAsUser } = securityOf(fields, pod);
      if (runAsNonRoot === true && Number.isInteger(runAsUser) && runAsUser > 0) return undefined;
      return {
        path: [...path, 'securityContext'],
        message: `runAsNonRoot is ${runAsNonRoot}, runAsUser ${runAsUser}.`,
      };
    },
  },
  {
    id: 'pod-read-only-root',
    demands: 'The root file system of a container is read-only.',
    remedy: 'Set readOnlyRootFilesystem: true, and mount an emptyDir where the program writes.',
    fault: ({ fields, path }) =>
      fields.securityContext?.readOnlyRootFilesystem === true
        ? undefined
        : { path: [...path, 'securityContext'], message: 'the root file system can be written to.' },
  },
  {
    id: 'pod-privilege-escalation',
    demands: 'A process of a container gets no more rights than it started with.',
    remedy: 'Set allowPrivilegeEscalation: false and leave privileged out.',
    fault({ fields, path }) {
      const { allowPrivilegeEscalation, privileged } = fields.securityContext ?? {};
      if (allowPrivilegeEscalation === false && privileged !== true) return undefined;
      const message = privileged === true ? 'the container is privileged.' : 'it may gain rights while it runs.';
      return { path: [...path, 'securityContext'], message };
    },
  },
  {
    id: 'pod-capabilities',
    demands: 'A container drops all capabilities, and adds none.',
    remedy: 'Set capabilities: {drop: [ALL]}.',
    fault({ fields, path }) {
      const { drop, add = [] } = fields.securityContext?.capabilities ?? {};
      if (!Array.isArray(drop) || !drop.includes('ALL')) {
        return { path: [...path, 'securityContext'], message: 'it keeps capabilities that it does not need.' };
      }
      if (add.length === 0) return undefined;
      return { path: [...path, 'securityContext', 'capabilities', 'add'], message: `it adds ${add.join(', ')}.` };
    },
  },
  {
    id: 'pod-seccomp',
    demands: 'A container runs under the seccomp profile RuntimeDefault.',
    remedy: 'Set seccompProfile: {type: RuntimeDefault} in the securityContext of the pod.',
    fault({ fields, path }, pod) {
      const type = securityOf(fields, pod).seccompProfile?.type;
      return type === 'RuntimeDefault' ? undefined : { path, message: `its seccomp profile is ${type ?? 'not set'}.` };
    },
  },
  {
    id: 'pod-image-pinned',
    demands: 'An image is pinned by a tag that stays the same, or by a digest.',
    remedy: 'Name a version: repository:v1.2.3, or the short SHA of a commit.',
    fault({ fields, path }) {
      const image = String(fields.image ?? '');
      if (pinned.test(image)) return undefined;
      return { path: [...path, 'image'], message: `${image || 'no image'} can be another one tomorrow.` };
    },
  },
  {
    id: 'pod-resources',
    demands: 'A container requests CPU and memory, and has a limit of memory.',
    remedy: 'Add resources: requests of cpu and memory, and limits of memory.',
    fault({ fields, path }) {
      const { requests = {}, limits = {} } = fields.resources ?? {};
      const missing = [
        ...(requests.cpu === undefined ? ['requests.cpu'] : []),
        ...(requests.memory === undefined ? ['requests.memory'] : []),
        ...(limits.memory === undefined ? ['limits.memory'] : []),
      ];
      if (missing.length === 0) return undefined;
      return { path: [...path, 'resources'], message: `${missing.join(', ')} not set.` };
    },
  },
  {
    id: 'pod-host-port',
    demands: 'No container takes a port of its node.',
    remedy: 'Leave hostPort out: a Service leads to the container.',
    fault({ fields, path }) {
      const ports: Fields[] = fields.ports ?? [];
      const i = ports.findIndex(({ hostPort }) => hostPort !== undefined);
      if (i < 0) return undefined;
      return { path: [...path, 'ports', i, 'hostPort'], message: `it takes port ${ports[i]?.hostPort} of its node.` };
    },
  },
];

/** A digest, a version of three numbers, or a commit: `latest`, `main` and `22-alpine` are others tomorrow. */
const pinned = /@sha256:[0-9a-f]{64}$|:[^:/]*\d+\.\d+\.\d+[^:/]*$|:[0-9a-f]{7,40}$/;

/** A container's own settings win over its pod's. */
function securityOf(container: RenderedContainer['fields'], pod: RenderedPod): Fields {
  return { ...pod.spec.securityContext, ...container.securityContext };
}
