import type { KubeObject } from '../kubernetes/objects.ts';
import { withTemplates } from '../kubernetes/workloads.ts';

interface Container {
  args?: string[];
  ports?: { hostPort?: number }[];
}

/** The flag by which a controller is told which address to write into each Ingress, and the one that names a Service for it. */
const statusFlags: readonly (readonly [RegExp, string])[] = [
  [/^--publish-status-address=.*$/, '--publish-service=$(POD_NAMESPACE)/ingress-nginx-controller'],
  [
    /^--providers\.kubernetesIngressNGINX\.publishStatusAddress=.*$/,
    '--providers.kubernetesIngressNGINX.publishService=traefik/traefik',
  ],
];

function withService(arg: string): string {
  return statusFlags.reduce((text, [flag, instead]) => text.replace(flag, () => instead), arg);
}

/**
 * The same objects for nodes that are not ours: the controller takes no port of a node, which others may have or which may
 * be forbidden, and writes the address of its Service into each Ingress. `localhost` there would be believed by whoever
 * makes DNS names of Ingresses.
 */
export function behindService(objects: readonly KubeObject[]): KubeObject[] {
  return withTemplates(objects, ({ spec }: { spec: { containers: Container[] } }) => {
    for (const container of spec.containers) {
      for (const port of container.ports ?? []) delete port.hostPort;
      if (container.args) container.args = container.args.map(withService);
    }
  });
}
