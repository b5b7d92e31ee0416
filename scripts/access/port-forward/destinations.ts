/** Something in the cluster that a port of this machine can lead to. */
export interface Destination {
  /** The word that chooses it. */
  name: string;
  namespace: string;
  service: string;
  /** The name of the Service's port. */
  port: string;
  /** The port of this machine, unless another is chosen. */
  localPort: number;
  /** Where to begin. */
  path?: string;
  /** The whole address, where the name in it counts. */
  url?: string;
  /** Whether it asks for the user admin and a password, which `npm run passwords` tells by the same name. */
  login?: true;
}

const observability = { namespace: 'observability', port: 'web' };

/**
 * In the order of the list. The ports are those that each program's own manual uses, where the platform leaves them free:
 * 8080, Argo CD's, is where the ingress is by default, and 3000 is Grafana's.
 */
export const destinations: readonly Destination[] = [
  { name: 'prometheus', ...observability, service: 'prometheus', localPort: 9090 },
  { name: 'grafana', ...observability, service: 'grafana', localPort: 3000, login: true },
  { name: 'argocd', namespace: 'argocd', service: 'argocd-server', port: 'http', localPort: 8081, login: true },
  { name: 'api', namespace: 'default', service: 'api-node', port: 'http', localPort: 3001, path: '/info' },
];

/** The word for the ingress controller as a whole, where the cluster publishes no port on this machine. */
export const ingressName = 'ingress';

/** The way in to all that the ingress serves, under the same addresses as on a cluster of kind. */
export function ingressDestination(controller: { namespace: string; service: string }, port: number): Destination {
  return {
    name: ingressName,
    ...controller,
    port: 'https',
    localPort: port,
    url: `https://api.localhost:${port}/info`,
  };
}
