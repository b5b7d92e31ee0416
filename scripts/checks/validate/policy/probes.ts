import { eachOf, type Fields, listOf } from './pod.ts';
import type { PodRule } from './rule.ts';

/** Three probes, each for a question of its own. */
export const probeRules: readonly PodRule[] = [
  {
    id: 'service-probes',
    demands: 'A service has three probes: a long startup, a quick readiness, and a liveness more lenient than that.',
    remedy:
      'Give liveness more time (periodSeconds * failureThreshold) than readiness, and startup at least 30 seconds.',
    faults: (pod) =>
      eachOf(pod, ({ fields, path }) => {
        const { startupProbe, livenessProbe, readinessProbe } = fields;
        const missing = Object.entries({ startupProbe, livenessProbe, readinessProbe }).find(
          ([, probe]) => !probe,
        )?.[0];
        if (missing !== undefined) return { path, message: `${missing} is missing.` };
        if (lenience(livenessProbe) <= lenience(readinessProbe)) {
          const times = `${lenience(livenessProbe)} s, and readiness after ${lenience(readinessProbe)} s`;
          return {
            path: [...path, 'livenessProbe'],
            message: `it gives up after ${times}: a busy pod would be killed.`,
          };
        }
        if (lenience(startupProbe) >= 30) return undefined;
        return { path: [...path, 'startupProbe'], message: `it gives up after ${lenience(startupProbe)} s.` };
      }),
  },
  {
    id: 'service-probe-port',
    demands: 'A probe asks a port that its container has, by its name.',
    remedy: 'Name one of the ports of the container.',
    faults: (pod) =>
      eachOf(pod, ({ fields, path }) => {
        const names = listOf(fields.ports).map(({ name }) => name);
        const probe = ['startupProbe', 'livenessProbe', 'readinessProbe'].find((name) => {
          const port = reach(fields[name]);
          return port !== undefined && !names.includes(port);
        });
        if (probe === undefined) return undefined;
        return {
          path: [...path, probe],
          message: `it asks ${reach(fields[probe])}, and the ports are ${names.join(', ')}.`,
        };
      }),
  },
];

/** Seconds until a probe that fails each time has its consequence. Kubernetes' defaults: every 10 s, three times. */
export function lenience(probe: Fields): number {
  return (probe?.initialDelaySeconds ?? 0) + (probe?.periodSeconds ?? 10) * (probe?.failureThreshold ?? 3);
}

/** The port that a probe asks, where it asks one. */
function reach(probe: Fields): string | number | undefined {
  return probe?.httpGet?.port ?? probe?.tcpSocket?.port ?? probe?.grpc?.port;
}
