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
  /** Where a person begins to look. */
  path: string;
  /** The whole address, where the name in it counts. */
  url?: string;
  /** Whether it asks for the user admin and a password, which `npm run passwords` tells by the same name. */
  login: boolean;
}

/** In the order of the list. The ports are those that each program's own manual uses, where the platform leaves them free. */
export const destinations: readonly Destination[] = [
  {
    name: 'prometheus',
    namespace: 'observability',
    service: 'prometheus',
    port: 'web',
    localPort: 9090,
    path: '',
    login: false,
  },
  {
    name: 'grafana',
    namespace: 'observability',
    service: 'grafana',
    port: 'web',
    localPort: 3000,
    path: '',
    login: true,
  },
  {
    // 8080, as Argo CD's manual has it, is where the ingress is by default.
    name: 'argocd',
    namespace: 'argocd',
    service: 'argocd-server',
    port: 'http',
    localPort: 8081,
    path: '',
    login: true,
  },
  {
    // 3000 is Grafana's.
    name: 'api',
    namespace: 'default',
    service: 'api-node',
    port: 'http',
    localPort: 3001,
    path: '/info',
    login: false,
  },
];

/** The word for the ingress controller as a whole, where the cluster publishes no port on this machine. */
export const ingressName = 'ingress';

/** The way in to all that the ingress serves, under the same addresses as on a cluster of kind. */
export function ingressDestination(controller: { namespace: string; service: string }, port: number): Destination {
  const url = `https://api.localhost:${port}/info`;
  return { name: ingressName, ...controller, port: 'https', localPort: port, path: '/info', url, login: false };
}
