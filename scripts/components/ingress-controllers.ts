import type { Config } from '../config/config.ts';
import type { Context } from '../images/context.ts';
import type { KubeObject } from '../kubernetes/objects.ts';
import { memoizePerContext, readManifests } from '../repository/manifests.ts';
import { behindService } from './behind-service.ts';
import { listenOn } from './listening-ports.ts';
import { removeOwn } from './removal.ts';

export type Controller = Config['ingressController'];

/** The role of an ingress controller: other components need it, whichever of them has it. */
export const ingressRole = 'ingress';

/** The namespace of each controller, which is also its folder below ingress/. */
const ingressNamespaces: Record<Controller, string> = { nginx: 'ingress-nginx', traefik: 'traefik' };

/** The Service in front of a controller, where it has one. */
export function controllerService(controller: Controller): { namespace: string; service: string } {
  const namespace = ingressNamespaces[controller];
  return { namespace, service: controller === 'nginx' ? `${namespace}-controller` : namespace };
}

/** The manifests of each controller, in the order in which they are applied. Both look after the same class. */
const manifests: Record<Controller, readonly string[]> = {
  nginx: ['namespace', 'rbac', 'config', 'certificate', 'admission', 'deployment', 'metrics'].map(
    (name) => `ingress-nginx/${name}`,
  ),
  traefik: ['namespace', 'rbac', 'tls', 'deployment', 'metrics'].map((name) => `traefik/${name}`),
};

/** The objects of a controller, listening on the ports of the settings. */
export function controllerObjects(controller: Controller): (context: Context) => Promise<KubeObject[]> {
  const filesFor = (names: readonly string[]) => [...names, 'ingress-class'].map((name) => `ingress/${name}.yaml`);
  return memoizePerContext(async ({ config, target }) => {
    if (target === undefined)
      return listenOn(await readManifests(config.root, filesFor(manifests[controller])), config.ports);
    const files = filesFor([...manifests[controller], `${ingressNamespaces[controller]}/service`]);
    return behindService(listenOn(await readManifests(config.root, files), config.ports));
  });
}

/**
 * Removes the other controller, since both want the ports of the node; what the two share stays. Hands back what it
 * removed, which is nothing where the other one was never there.
 */
export async function removeOther(context: Context, chosen: Controller): Promise<string[]> {
  const other = chosen === 'nginx' ? 'traefik' : 'nginx';
  const [doomed, kept] = await Promise.all([controllerObjects(other)(context), controllerObjects(chosen)(context)]);
  return removeOwn(context, doomed, kept);
}
