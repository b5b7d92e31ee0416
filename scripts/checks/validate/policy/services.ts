import { type Fields, faultsOfContainers, listOf, type PodRule } from './rule.ts';

/** Three probes, each for a question of its own. */
const probeRules: readonly PodRule[] = [
  {
    id: 'service-probes',
    demands: 'A service has three probes: a long startup, a quick readiness, and a liveness more lenient than that.',
    remedy:
      'Give liveness more time (periodSeconds * failureThreshold) than readiness, and startup at least 30 seconds.',
    faults: (pod) =>
      faultsOfContainers(pod, ({ fields, path }) => {
        const { startupProbe, livenessProbe, readinessProbe } = fields;
        const missing = Object.entries({ startupProbe, livenessProbe, readinessProbe }).find(
          ([, probe]) => !probe,
        )?.[0];
        if (missing !== undefined) return { path, message: `${missing} is missing.` };
        if (secondsUntilFailure(livenessProbe) <= secondsUntilFailure(readinessProbe)) {
          const times = `${secondsUntilFailure(livenessProbe)} s, and readiness after ${secondsUntilFailure(readinessProbe)} s`;
          return {
            path: [...path, 'livenessProbe'],
            message: `it gives up after ${times}: a busy pod would be killed.`,
          };
        }
        if (secondsUntilFailure(startupProbe) >= 30) return undefined;
        return {
          path: [...path, 'startupProbe'],
          message: `it gives up after ${secondsUntilFailure(startupProbe)} s.`,
        };
      }),
  },
  {
    id: 'service-probe-port',
    demands: 'A probe asks a port that its container has, by its name.',
    remedy: 'Name one of the ports of the container.',
    faults: (pod) =>
      faultsOfContainers(pod, ({ fields, path }) => {
        const names = listOf(fields.ports).map(({ name }) => name);
        const probe = ['startupProbe', 'livenessProbe', 'readinessProbe'].find((name) => {
          const port = portOf(fields[name]);
          return port !== undefined && !names.includes(port);
        });
        if (probe === undefined) return undefined;
        return {
          path: [...path, probe],
          message: `it asks ${portOf(fields[probe])}, and the ports are ${names.join(', ')}.`,
        };
      }),
  },
];

/** Seconds until a probe that fails each time has its consequence. Kubernetes' defaults: every 10 s, three times. */
export function secondsUntilFailure(probe: Fields): number {
  return (probe?.initialDelaySeconds ?? 0) + (probe?.periodSeconds ?? 10) * (probe?.failureThreshold ?? 3);
}

/** The port that a probe asks, where it asks one. */
function portOf(probe: Fields): string | number | undefined {
  return probe?.httpGet?.port ?? probe?.tcpSocket?.port ?? probe?.grpc?.port;
}

const serviceUser = 65532;

/** What the Deployments of the charts keep to on top of the rules for all pods. */
export const serviceRules: readonly PodRule[] = [
  {
    id: 'service-user',
    demands: `A service runs as ${serviceUser}:${serviceUser}, the user of its image.`,
    remedy: `Set runAsUser and runAsGroup to ${serviceUser} in the securityContext of the pod.`,
    faults({ spec, path }) {
      const { runAsUser, runAsGroup } = spec.securityContext ?? {};
      if (runAsUser === serviceUser && runAsGroup === serviceUser) return [];
      return [{ path: [...path, 'securityContext'], message: `it runs as ${runAsUser}:${runAsGroup}.` }];
    },
  },
  {
    id: 'service-tmp',
    demands: 'A service has an emptyDir with a size limit at /tmp.',
    remedy: 'Add a volume of type emptyDir with a sizeLimit, and mount it at /tmp.',
    faults: (pod) =>
      faultsOfContainers(pod, ({ fields, path }) => {
        const mount = listOf(fields.volumeMounts).find(({ mountPath }) => mountPath === '/tmp');
        const volume = listOf(pod.spec.volumes).find(({ name }) => name === mount?.name);
        if (mount?.readOnly !== true && volume?.emptyDir?.sizeLimit !== undefined) return undefined;
        return { path: [...path, 'volumeMounts'], message: 'no emptyDir of limited size is mounted at /tmp.' };
      }),
  },
  {
    id: 'service-account',
    demands: 'A service has a ServiceAccount of its own, and no token of it.',
    remedy: "Set serviceAccountName to the service's name, and automountServiceAccountToken: false.",
    faults({ spec, path, located }) {
      const { serviceAccountName: account, automountServiceAccountToken: token } = spec;
      if (account === located.object.metadata.name && token === false) return [];
      return [
        { path, message: `its account is ${account ?? 'default'}, its token ${token === false ? 'not ' : ''}mounted.` },
      ];
    },
  },
  {
    id: 'service-pull-secrets',
    demands: 'A service names the Secrets that its image is pulled with.',
    remedy: 'List them under imagePullSecrets in values.yaml.',
    faults: ({ spec, path }) =>
      listOf(spec.imagePullSecrets).some(({ name }) => name)
        ? []
        : [{ path: [...path, 'imagePullSecrets'], message: 'a private image could not be pulled.' }],
  },
  ...probeRules,
  {
    id: 'service-resources',
    demands: 'A service has requests and limits of CPU, memory and ephemeral storage.',
    remedy: 'Add them under resources in values.yaml.',
    faults: (pod) =>
      faultsOfContainers(pod, ({ fields, path }) => {
        const wanted = ['requests', 'limits'].flatMap((of) =>
          ['cpu', 'memory', 'ephemeral-storage'].map((what) => [of, what]),
        );
        const missing = wanted.filter(([of = '', what = '']) => fields.resources?.[of]?.[what] === undefined);
        if (missing.length === 0) return undefined;
        return {
          path: [...path, 'resources'],
          message: `${missing.map((parts) => parts.join('.')).join(', ')} not set.`,
        };
      }),
  },
  {
    id: 'service-rollout',
    demands: 'A rollout of a service takes no pod away before the next one is ready.',
    remedy: 'Set strategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 0}}.',
    faults({ located }) {
      const { type, rollingUpdate } = (located.object.spec as Fields).strategy ?? {};
      if (type === 'RollingUpdate' && rollingUpdate?.maxUnavailable === 0) return [];
      const message = `it is ${type ?? 'not set'}, maxUnavailable ${rollingUpdate?.maxUnavailable ?? 'not set'}.`;
      return [{ path: ['spec', 'strategy'], message }];
    },
  },
  {
    id: 'service-termination',
    demands: 'A service that is told to stop goes on answering for a while, and has time left after that.',
    remedy: 'Set lifecycle.preStop.sleep.seconds, and a longer terminationGracePeriodSeconds.',
    faults: (pod) =>
      faultsOfContainers(pod, ({ fields, path }) => {
        const seconds = fields.lifecycle?.preStop?.sleep?.seconds;
        const grace = pod.spec.terminationGracePeriodSeconds ?? 30;
        if (seconds > 0 && grace > seconds) return undefined;
        const message = `it sleeps for ${seconds ?? 0} s, and is killed after ${grace} s.`;
        return { path: [...path, 'lifecycle'], message };
      }),
  },
  {
    id: 'service-spread',
    demands: 'The pods of a service are spread over the nodes.',
    remedy: 'Add a topologySpreadConstraint over kubernetes.io/hostname that selects the pods.',
    faults: ({ spec, path, metadata }) =>
      listOf(spec.topologySpreadConstraints).some(
        ({ topologyKey, labelSelector }) =>
          topologyKey === 'kubernetes.io/hostname' && selects(labelSelector?.matchLabels, metadata.labels),
      )
        ? []
        : [{ path: [...path, 'topologySpreadConstraints'], message: 'all pods may end up on one node.' }],
  },
];

function selects(wanted: Fields, labels: Fields): boolean {
  return wanted !== undefined && Object.entries(wanted).every(([name, value]) => labels?.[name] === value);
}
