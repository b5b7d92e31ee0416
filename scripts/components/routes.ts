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
    const answers = await Promise.all(routeTable.map((route) => silence(context, route.host, route.health)));
    return answers.find((answer) => answer !== undefined);
  },
});

/** Asks the ingress for a host, as a browser on this machine would. Names like api.localhost are not resolved: they mean this machine. */
export function ask({ config, signal }: Context, host: string, path: string) {
  return get(`http://127.0.0.1:${config.ports.http}${path}`, {
    headers: { host: `${host}:${config.ports.http}` },
    signal,
    timeout: 5000,
  });
}

/** Why an address doesn't answer 200, or undefined if it does. */
export async function silence(context: Context, host: string, path: string): Promise<string | undefined> {
  const url = urlOf(context, host) + path;
  try {
    const { status } = await ask(context, host, path);
    return status === 200 ? undefined : `${url} answers ${status}`;
  } catch (error) {
    if (context.signal.aborted) throw error;
    return `${url} does not answer: ${messageOf(error)}`;
  }
}

/** The address of a host, without a slash at the end. */
export function urlOf({ config }: Context, host: string): string {
  return `http://${host}:${config.ports.http}`;
}
