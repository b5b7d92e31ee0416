import type { Context } from '../context.ts';
import { messageOf } from '../lib/errors.ts';
import { get } from '../lib/http.ts';
import { install } from './installation.ts';
import { readManifests } from './manifests.ts';

interface Route {
  title: string;
  host: string;
  /** A path that answers 200 without a login once the program behind it is ready. */
  health: string;
}

/** What the ingress makes reachable besides the services. */
export const routeTable: readonly Route[] = [
  { title: 'Argo CD', host: 'argocd.localhost', health: '/healthz' },
  { title: 'Prometheus', host: 'prometheus.localhost', health: '/-/ready' },
  { title: 'Grafana', host: 'grafana.localhost', health: '/api/health' },
];

/** The ways in to Argo CD, Prometheus and Grafana. */
export const routes = install({
  name: 'routes',
  needs: ['ingress-nginx', 'argo-cd', 'prometheus', 'grafana'],
  objects: ({ config }) =>
    readManifests(
      config.root,
      ['argocd', 'prometheus', 'grafana'].map((name) => `ingress/${name}.yaml`),
    ),
  missing: async (context) => {
    const answers = await Promise.all(routeTable.map(({ host, health }) => ask(context, host, health)));
    return answers.find(({ missing }) => missing !== undefined)?.missing;
  },
});

/**
 * Asks the ingress for a host, as a browser on this machine would; `missing` says why it doesn't answer 200. Names like
 * api.localhost are not resolved: they mean this machine.
 */
export async function ask(context: Context, host: string, path: string): Promise<{ body: string; missing?: string }> {
  const { config, signal } = context;
  const url = urlOf(context, host) + path;
  try {
    const headers = { host: `${host}:${config.ports.http}` };
    const { status, body } = await get(`http://127.0.0.1:${config.ports.http}${path}`, {
      headers,
      signal,
      timeout: 5000,
    });
    return status === 200 ? { body } : { body, missing: `${url} answers ${status}` };
  } catch (error) {
    if (signal.aborted) throw error;
    return { body: '', missing: `${url} does not answer: ${messageOf(error)}` };
  }
}

/** The address of a host, without a slash at the end. */
export function urlOf({ config }: Context, host: string): string {
  return `http://${host}:${config.ports.http}`;
}
