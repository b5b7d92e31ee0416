import type { Context } from '../images/context.ts';
import type { KubeObject } from '../kubernetes/objects.ts';
import { messageOf } from '../lib/errors.ts';
import { httpGet } from '../lib/http/client.ts';
import { readManifests } from '../repository/manifests.ts';
import { install } from './installation.ts';
import { type Site, trustedFor } from './tls.ts';
import { renewWayIn, wayIn } from './way-in.ts';

interface Route extends Site {
  title: string;
  /** A path that answers 200 without a login once the program behind it is ready. */
  health: string;
}

const name = 'localhost-tls';
const observability = { namespace: 'observability', name };

/** What the ingress makes reachable besides the services. */
export const routeTable: readonly Route[] = [
  { title: 'Argo CD', host: 'argocd.localhost', secret: { namespace: 'argocd', name }, health: '/healthz' },
  { title: 'Prometheus', host: 'prometheus.localhost', secret: observability, health: '/-/ready' },
  { title: 'Grafana', host: 'grafana.localhost', secret: observability, health: '/api/health' },
];

/** The ways in to Argo CD, Prometheus and Grafana. */
export const routes = install({
  name: 'routes',
  needs: ['ingress', 'certificates', 'argo-cd', 'prometheus', 'grafana'],
  objects: ({ config }) => readRoutes(config.root),
  missing: async (context) => {
    const answers = await Promise.all(routeTable.map((route) => ask(context, route, route.health)));
    return answers.find(({ missing }) => missing !== undefined)?.missing;
  },
});

/** The Ingresses of the routes. */
export function readRoutes(root: string): Promise<KubeObject[]> {
  const files = ['argocd', 'prometheus', 'grafana'].map((file) => `ingress/${file}.yaml`);
  return readManifests(root, files);
}

/**
 * Asks the ingress for a site, as a browser on this machine would that trusts the local certificate authority; `missing`
 * says why it doesn't answer 200, `status` what it answers if it does. Names are not resolved: api.localhost means this
 * machine, and so does production's host here. `timeout` is milliseconds to wait for the answer.
 */
export async function ask(
  context: Context,
  site: Site,
  path: string,
  { headers = {}, timeout = 5000 }: { headers?: Record<string, string>; timeout?: number } = {},
): Promise<{ body: string; status?: number; missing?: string }> {
  const { signal } = context;
  const url = urlOf(context, site) + path;
  const port = portOf(context, site);
  const request = async (way: number) =>
    httpGet(`${schemeOf(site)}://127.0.0.1:${way}${path}`, {
      headers: { ...headers, host: `${site.host}:${port}` },
      ...(site.secret && { server: { name: site.host, ca: await trustedFor(context, site) } }),
      signal,
      timeout,
    });
  try {
    const way = await wayIn(context, site);
    const { status, body } = await request(way).catch(async (error: unknown) => {
      if (signal.aborted || !(await renewWayIn(context, site, way))) throw error;
      return request(await wayIn(context, site));
    });
    return { body, status, ...(status !== 200 && { missing: `${url} answers ${status}` }) };
  } catch (error) {
    if (signal.aborted) throw error;
    return { body: '', missing: `${url} does not answer: ${messageOf(error)}` };
  }
}

/** The address of a site, without a slash at the end. */
export function urlOf(context: Context, site: Site): string {
  return `${schemeOf(site)}://${site.host}:${portOf(context, site)}`;
}

/** The port on this machine that a site is reached by. */
export function portOf({ config }: Context, site: Site): number {
  return site.secret ? config.ports.https : config.ports.http;
}

function schemeOf(site: Site): string {
  return site.secret ? 'https' : 'http';
}
