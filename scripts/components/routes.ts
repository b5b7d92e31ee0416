import { authorityFolder, type Config } from '../config/config.ts';
import type { Context } from '../images/context.ts';
import type { KubeObject } from '../kubernetes/objects.ts';
import { endpointOf, type PortForward, slicesPath, startPortForward } from '../kubernetes/port-forward.ts';
import { readSecret } from '../kubernetes/secret.ts';
import type { EndpointSlice } from '../kubernetes/types.ts';
import { readAuthority } from '../lib/certificates/authority.ts';
import { messageOf, UserError } from '../lib/errors.ts';
import { httpGet } from '../lib/http/client.ts';
import { fromBase64 } from '../lib/secret.ts';
import { shared } from '../lib/tasks.ts';
import { readManifestFolder } from '../repository/manifests.ts';
import { allControllerFiles, controllerService } from './ingress.ts';
import { install } from './installation.ts';

/** The folder of the routes, and of the controllers. */
export const routesFolder = 'ingress';

interface Route extends Site {
  title: string;
  /** A path that answers 200 without a login once the program behind it is ready. */
  health: string;
}

const tlsSecretName = 'localhost-tls';
const observability = { namespace: 'observability', name: tlsSecretName };

/** What the ingress makes reachable besides the services. */
export const routeTable: readonly Route[] = [
  {
    title: 'Argo CD',
    host: 'argocd.localhost',
    secret: { namespace: 'argocd', name: tlsSecretName },
    health: '/healthz',
  },
  { title: 'Prometheus', host: 'prometheus.localhost', secret: observability, health: '/-/ready' },
  { title: 'Grafana', host: 'grafana.localhost', secret: observability, health: '/api/health' },
];

/** The ways in to Argo CD, Prometheus and Grafana. */
export const routes = install({
  name: 'routes',
  needs: ['ingress', 'certificates', 'argo-cd', 'prometheus', 'grafana'],
  objects: ({ config }) => readRoutes(config.root),
  missing: async (context) => {
    const answers = await Promise.all(routeTable.map((route) => askIngress(context, route, route.health)));
    return answers.find(({ missing }) => missing !== undefined)?.missing;
  },
});

/** The Ingresses of the routes, and what else lies beside them but the controllers. */
export function readRoutes(root: string): Promise<KubeObject[]> {
  return readManifestFolder(root, routesFolder, allControllerFiles);
}

/**
 * Asks the ingress for a site, as a browser on this machine would that trusts the local certificate authority; `missing`
 * says why it doesn't answer 200, `status` what it answers if it does. Names are not resolved: api.localhost means this
 * machine, and so does production's host here. `timeout` is milliseconds to wait for the answer.
 */
export async function askIngress(
  context: Context,
  site: Site,
  path: string,
  { headers = {}, timeout = 5000 }: { headers?: Record<string, string>; timeout?: number } = {},
): Promise<{ body: string; status?: number; missing?: string }> {
  const url = siteUrl(context, site) + path;
  const host = `${site.host}:${sitePort(context, site)}`;
  const request = async (port: number) =>
    httpGet(`${siteScheme(site)}://127.0.0.1:${port}${path}`, {
      headers: { ...headers, host },
      ...(site.secret && { server: { name: site.host, ca: await trustedCertificateFor(context, site) } }),
      signal: context.signal,
      timeout,
    });
  try {
    const { status, body } = await throughIngress(context, site, request);
    return { body, status, ...(status !== 200 && { missing: `${url} answers ${status}` }) };
  } catch (error) {
    if (context.signal.aborted) throw error;
    return { body: '', missing: `${url} does not answer: ${messageOf(error)}` };
  }
}

/** The address of a site, without a slash at the end. */
export function siteUrl(context: Context, site: Site): string {
  return `${siteScheme(site)}://${site.host}:${sitePort(context, site)}`;
}

/** The port on this machine that a site is reached by. */
export function sitePort({ config }: Context, site: Site): number {
  return site.secret ? config.ports.https : config.ports.http;
}

function siteScheme(site: Site): string {
  return site.secret ? 'https' : 'http';
}

/** A host that the ingress answers for, and the Secret of its certificate; none where it answers by plain HTTP only. */
export interface Site {
  host: string;
  secret: { namespace: string; name: string } | undefined;
}

/** Whether a host is this machine by its name alone (RFC 6761, 6.3), so that the local authority may vouch for it. */
export function isLocal(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost');
}

/**
 * The certificate, as PEM, that a site's own has to be vouched for by: the local authority's, or for a host that this
 * may not sign for, the one that `up` put into its Secret. Throws a `UserError` where there is none.
 */
async function trustedCertificateFor(context: Context, { host, secret }: Site): Promise<string> {
  if (isLocal(host)) {
    const authority = await readAuthority(authorityFolder(context.config));
    if (authority) return authority.certificate;
    throw new UserError('there is no local certificate authority yet', { hint: 'npm run up' });
  }
  const certificate = secret && (await readTlsSecret(context, secret))?.certificate;
  if (certificate) return certificate;
  throw new UserError(`there is no certificate for ${host} yet`, { hint: 'npm run up' });
}

/** What lies in a Secret of type kubernetes.io/tls, or undefined if there is no such Secret. */
export async function readTlsSecret(
  context: Context,
  secret: { namespace: string; name: string },
): Promise<{ certificate: string; key: string } | undefined> {
  const data = await readSecret(context, secret);
  return data && { certificate: fromBase64(data['tls.crt']), key: fromBase64(data['tls.key']) };
}

type PortName = 'http' | 'https';

/** The tunnels of a command, which all its contexts share, by the port that they lead to. They end with the command. */
const tunnels = new WeakMap<Config, Map<PortName, Promise<PortForward>>>();
/** Milliseconds for which connections of a tunnel that is replaced may go on. */
const drainMs = 10_000;

/**
 * Makes a request by a port of 127.0.0.1 that leads to the ingress: of a cluster of kind the one that it publishes; of another
 * one a tunnel, and once more by a new one where nothing came through, since kubectl ends or hangs with the pod that it leads
 * to, and not always at once.
 */
async function throughIngress<T>(
  context: Context,
  { secret }: Site,
  request: (port: number) => Promise<T>,
): Promise<T> {
  const { config, target, signal } = context;
  const name = secret ? 'https' : 'http';
  if (target === undefined) return request(config.ports[name]);
  const known = tunnels.get(config) ?? new Map<PortName, Promise<PortForward>>();
  tunnels.set(config, known);
  const current = () => shared(known, name, () => openIngressTunnel(context, name));
  const first = current();
  const tunnel = await first;
  try {
    return await request(tunnel.port);
  } catch (error) {
    if (signal.aborted) throw error;
    // Another request may have replaced it by now.
    if (known.get(name) === first) {
      known.delete(name);
      setTimeout(() => tunnel.close(), drainMs).unref();
    }
    return request((await current()).port);
  }
}

async function openIngressTunnel(context: Context, name: PortName): Promise<PortForward> {
  const service = controllerService(context.config.ingressController);
  const { items } = await context.api().json<{ items: EndpointSlice[] | null }>(slicesPath);
  const endpoint = endpointOf(items ?? [], { ...service, port: name }, undefined);
  if (!endpoint) throw new Error('no pod of the ingress controller is ready');
  return startPortForward(context, endpoint, context.signal);
}
