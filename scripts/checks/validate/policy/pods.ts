import type { Fields } from './pod.ts';
import type { PodRule } from './rule.ts';

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
