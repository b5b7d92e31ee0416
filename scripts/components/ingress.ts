import type { Component } from '../cluster/component.ts';
import type { Config } from '../config/config.ts';
import type { Context } from '../images/context.ts';
import { ApiError } from '../kubernetes/api/api.ts';
import { predictMetadata } from '../kubernetes/kubectl.ts';
import type { KubeObject } from '../kubernetes/objects.ts';
import type { Job, ValidatingWebhookConfiguration } from '../kubernetes/types.ts';
import { withTemplates } from '../kubernetes/workloads.ts';
import { memoizePerContext, readManifests } from '../repository/manifests.ts';
import { unreadable } from '../repository/text.ts';
import { install } from './installation.ts';
import { removeObjects, removeOwn } from './removal.ts';

export type Controller = Config['ingressController'];

/** The role of an ingress controller: other components need it, whichever of them has it. */
const ingressRole = 'ingress';

/** The namespace of each controller, which is also the name of its file in ingress/. */
const ingressNamespaces: Record<Controller, string> = { nginx: 'ingress-nginx', traefik: 'traefik' };

/** The Service in front of a controller, where it has one. */
export function controllerService(controller: Controller): { namespace: string; service: string } {
  const namespace = ingressNamespaces[controller];
  return { namespace, service: controller === 'nginx' ? `${namespace}-controller` : namespace };
}

/** The manifest of a controller. Both look after the same class. */
const controllerFile = (controller: Controller) => `ingress/${ingressNamespaces[controller]}.yaml`;

/** The manifests of all controllers. */
export const allControllerFiles: readonly string[] = [controllerFile('nginx'), controllerFile('traefik')];

/** The objects of a controller, listening on the ports of the settings. */
export function controllerObjects(controller: Controller): (context: Context) => Promise<KubeObject[]> {
  return memoizePerContext(async ({ config, target }) => {
    const objects = await readManifests(config.root, [controllerFile(controller)]);
    const listening = listenOn(objects, config.ports);
    return target === undefined ? listening : behindService(listening);
  });
}

/**
 * Removes the other controller, since both want the ports of the node; what the two share stays. Returns what it
 * removed, which is nothing where the other one was never there.
 */
export async function removeOtherController(context: Context, chosen: Controller): Promise<string[]> {
  const other = chosen === 'nginx' ? 'traefik' : 'nginx';
  const [doomed, kept] = await Promise.all([controllerObjects(other)(context), controllerObjects(chosen)(context)]);
  return removeOwn(context, doomed, kept);
}

interface Container {
  args?: string[];
  ports?: { name: string; containerPort: number; hostPort?: number }[];
}

/** The same objects, with each container of their pods changed. */
function withContainers(objects: readonly KubeObject[], change: (container: Container) => void): KubeObject[] {
  return withTemplates(objects, ({ spec }: { spec: { containers: Container[] } }) => spec.containers.forEach(change));
}

/** The flag by which a controller is told which address to write into each Ingress, and the one that names a Service for it. */
const publishFlags: readonly (readonly [RegExp, string])[] = [
  [/^--publish-status-address=.*$/, '--publish-service=$(POD_NAMESPACE)/ingress-nginx-controller'],
  [
    /^--providers\.kubernetesIngressNGINX\.publishStatusAddress=.*$/,
    '--providers.kubernetesIngressNGINX.publishService=traefik/traefik',
  ],
];

/**
 * The same objects for nodes that are not ours: the controller takes no port of a node, which others may have or which may
 * be forbidden, and writes the address of its Service into each Ingress. `localhost` there would be believed by whatever
 * makes DNS names of Ingresses.
 */
function behindService(objects: readonly KubeObject[]): KubeObject[] {
  return withContainers(objects, (container) => {
    for (const port of container.ports ?? []) delete port.hostPort;
    const published = (arg: string) =>
      publishFlags.reduce((text, [flag, instead]) => text.replace(flag, () => instead), arg);
    if (container.args) container.args = container.args.map(published);
  });
}

/** An argument of an ingress controller that says a port, as `--https-port=8443` or `--entryPoints.web.address=:8080`. */
const portArgument = /^(?<option>--\S*(?:port|address|webhook)=(?:\S*:)?)(?<port>\d+)$/i;

/**
 * The same objects, with the Deployment's container listening on the ports that you use on this machine: a redirect names
 * the port that the controller listens on, so that has to be the one which leads back to it. A port of the controller's own
 * that is the same gets one that this makes free. Throws where the container names no port `http` or `https`.
 */
export function listenOn(objects: readonly KubeObject[], wanted: { http: number; https: number }): KubeObject[] {
  return withContainers(objects, (container) => movePorts(container, wanted));
}

function movePorts({ args = [], ports = [] }: Container, wanted: { http: number; https: number }): void {
  const portNamed = (name: string) => {
    const port = ports.find((one) => one.name === name)?.containerPort;
    if (port === undefined) throw unreadable(`The container of the ingress controller has no port ${name}.`);
    return port;
  };
  const moves = new Map([
    [portNamed('http'), wanted.http],
    [portNamed('https'), wanted.https],
  ]);
  const taken = new Set(moves.values());
  const free = [...moves.keys()].filter((port) => !taken.has(port));
  const inArgs = args.flatMap((arg) => arg.match(portArgument)?.groups?.port ?? []).map(Number);
  for (const port of new Set([...ports.map(({ containerPort }) => containerPort), ...inArgs])) {
    if (!moves.has(port) && taken.has(port)) moves.set(port, free.shift() ?? port);
  }
  const moved = (port: number) => moves.get(port) ?? port;
  for (const port of ports) port.containerPort = moved(port.containerPort);
  for (const [index, arg] of args.entries())
    args[index] = arg.replace(portArgument, (_, option: string, port: string) => `${option}${moved(Number(port))}`);
}

const nginxObjects = controllerObjects('nginx');
const componentLabel = 'app.kubernetes.io/component';
const admissionComponent = 'admission-webhook';

/** The ingress controller, with its admission webhook, which refuses an Ingress that would break nginx. */
export const ingressNginx: Component = {
  ...install({
    name: 'ingress-nginx',
    needs: ['cluster'],
    objects: nginxObjects,
    grown: [
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'ingress-nginx-admission', namespace: 'ingress-nginx' } },
    ],
    prepare: async (context) => [...(await removeOtherController(context, 'nginx')), ...(await removeOldJobs(context))],
    missing: webhookCertificateMissing,
    unproved: webhookNotAnswering,
  }),
  role: ingressRole,
};

/** A new version of the certificate's Job has a name of its own. The ones of before are over, and only in the way. */
async function removeOldJobs(context: Context): Promise<string[]> {
  const ours = await nginxObjects(context);
  const [wanted] = ours.filter(({ kind }) => kind === 'Job');
  const all = await context.view().list<Job>('batch/v1', 'Job');
  const old = all.filter(
    ({ metadata }) =>
      metadata.namespace === wanted?.metadata.namespace && metadata.labels?.[componentLabel] === admissionComponent,
  );
  return removeObjects(context, old, ours);
}

async function webhookCertificateMissing(context: Context): Promise<string | undefined> {
  const configurations = await context
    .view()
    .list<ValidatingWebhookConfiguration>('admissionregistration.k8s.io/v1', 'ValidatingWebhookConfiguration');
  const ours = configurations.find(({ metadata }) => metadata.name === 'ingress-nginx-admission');
  return ours?.webhooks.every(({ clientConfig }) => clientConfig.caBundle)
    ? undefined
    : 'the admission webhook has no certificate yet';
}

/**
 * Until the webhook answers, the API server refuses every Ingress. So one is offered, as a dry run that changes nothing.
 */
async function webhookNotAnswering(context: Context): Promise<string | undefined> {
  try {
    await predictMetadata(context.api(), probeIngress);
    return undefined;
  } catch (error) {
    if (!(error instanceof ApiError) || error.status === 403) throw error;
    return `the admission webhook does not answer yet: ${error.reason}`;
  }
}

const probeIngress = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name: 'platform-ops-probe', namespace: 'default' },
  spec: {
    ingressClassName: 'nginx',
    rules: [
      {
        host: 'platform-ops-probe.invalid',
        http: {
          paths: [
            { path: '/', pathType: 'Prefix', backend: { service: { name: 'kubernetes', port: { number: 443 } } } },
          ],
        },
      },
    ],
  },
};

/** The ingress controller that takes the place of ingress-nginx, for the same Ingresses: INGRESS_CONTROLLER=traefik. */
export const traefik: Component = {
  ...install({
    name: 'traefik',
    needs: ['cluster'],
    objects: controllerObjects('traefik'),
    prepare: (context) => removeOtherController(context, 'traefik'),
  }),
  role: ingressRole,
};
