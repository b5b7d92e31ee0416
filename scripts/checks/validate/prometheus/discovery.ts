import type { Located } from '../../../repository/rendering/finding.ts';
import type { RelabelConfig } from './files.ts';

/** What Prometheus' service discovery knows of one possible target: the labels that begin with `__meta_`. */
export type DiscoveredLabels = Readonly<Record<string, string>>;

interface DiscoveredPod {
  namespace: string;
  labels: Record<string, string>;
  ports: { name?: string; containerPort: number }[];
}

export interface DiscoveredService {
  name: string;
  namespace: string;
  labels: Record<string, string>;
  ports: { name: string; port: number }[];
  /** `app.kubernetes.io/name` of the pods behind it, where that is known. */
  pods?: string;
}

/**
 * The Services of Argo CD that carry metrics, which its own release brings and no manifest here: the Services and
 * ports that install.yaml of v3.5 makes.
 */
const argocdServices: readonly DiscoveredService[] = [
  { name: 'argocd-metrics', pods: 'argocd-application-controller', ports: [{ name: 'metrics', port: 8082 }] },
  { name: 'argocd-server-metrics', pods: 'argocd-server', ports: [{ name: 'metrics', port: 8083 }] },
  {
    name: 'argocd-repo-server',
    pods: 'argocd-repo-server',
    ports: [
      { name: 'server', port: 8081 },
      { name: 'metrics', port: 8084 },
    ],
  },
].map((service) => ({
  ...service,
  namespace: 'argocd',
  labels: { 'app.kubernetes.io/name': service.name, 'app.kubernetes.io/part-of': 'argocd' },
}));

/** Every cluster has it: the way to the API server. */
const apiServer: DiscoveredService = {
  name: 'kubernetes',
  namespace: 'default',
  labels: { component: 'apiserver', provider: 'kubernetes' },
  ports: [{ name: 'https', port: 443 }],
};

/** What will run in the cluster, as far as the manifests say it. */
export interface DiscoveryObjects {
  pods: DiscoveredPod[];
  services: DiscoveredService[];
}

/** The pods and Services of the objects. What names no namespace is rendered for `default`. */
export function discoveryObjects(objects: readonly Located[]): DiscoveryObjects {
  const pods = objects.flatMap(({ object }): DiscoveredPod[] => {
    const { template } = (object.spec ?? {}) as {
      template?: {
        metadata?: { labels?: Record<string, string> };
        spec?: { containers?: { ports?: DiscoveredPod['ports'] }[] };
      };
    };
    if (template?.spec?.containers === undefined) return [];
    const { namespace = 'default' } = object.metadata;
    const ports = template.spec.containers.flatMap((container) => container.ports ?? []);
    return [{ namespace, labels: template.metadata?.labels ?? {}, ports }];
  });
  const services = objects
    .filter(({ object }) => object.kind === 'Service')
    .map(({ object }): DiscoveredService => {
      const { name, namespace = 'default', labels = {} } = object.metadata;
      const { ports = [] } = (object.spec ?? {}) as { ports?: { name?: string; port: number }[] };
      return { name, namespace, labels, ports: ports.map((each) => ({ name: each.name ?? '', port: each.port })) };
    });
  return { pods, services: [...services, ...argocdServices, apiServer] };
}

/**
 * What discovery with this role finds in these namespaces (none: all of them), one for each port. Undefined for roles
 * whose targets no manifest names, such as `node`.
 */
export function discoverTargets(
  role: string,
  namespaces: readonly string[],
  { pods, services }: DiscoveryObjects,
): DiscoveredLabels[] | undefined {
  const isIn = ({ namespace }: { namespace: string }) => namespaces.length === 0 || namespaces.includes(namespace);
  if (role === 'pod') {
    return pods.filter(isIn).flatMap(({ namespace, labels, ports }) =>
      ports.map(({ name = '', containerPort }) => ({
        __meta_kubernetes_namespace: namespace,
        __meta_kubernetes_pod_phase: 'Running',
        __meta_kubernetes_pod_container_port_name: name,
        __meta_kubernetes_pod_container_port_number: String(containerPort),
        ...asLabels('__meta_kubernetes_pod_label_', labels),
      })),
    );
  }
  if (!['service', 'endpoints', 'endpointslice'].includes(role)) return undefined;
  return services.filter(isIn).flatMap(({ name, namespace, labels, ports, pods: behind }) =>
    ports.map((port) => ({
      __meta_kubernetes_namespace: namespace,
      __meta_kubernetes_service_name: name,
      __meta_kubernetes_service_port_name: port.name,
      __meta_kubernetes_service_port_number: String(port.port),
      __meta_kubernetes_endpoint_port_name: port.name,
      __meta_kubernetes_endpointslice_port_name: port.name,
      ...asLabels('__meta_kubernetes_service_label_', labels),
      ...asLabels('__meta_kubernetes_pod_label_', behind === undefined ? {} : { 'app.kubernetes.io/name': behind }),
    })),
  );
}

/** Prometheus writes `_` for whatever a name of its own can't have. */
function asLabels(prefix: string, labels: Record<string, string>): DiscoveredLabels {
  return Object.fromEntries(
    Object.entries(labels).map(([name, value]) => [prefix + name.replaceAll(/\W/g, '_'), String(value)]),
  );
}

/** Whether a label can be told from the manifests at all; the others, such as a pod's IP, are only known at run time. */
export function isKnowable(label: string): boolean {
  return /^__meta_kubernetes_(namespace|(pod|service)_label_\w+|service_name|service_port_\w+|pod_phase|pod_container_port_(name|number)|endpoint(slice)?_port_name)$/.test(
    label,
  );
}

/** The value that a rule looks at. */
export function sourceOf(candidate: DiscoveredLabels, { source_labels, separator = ';' }: RelabelConfig): string {
  return source_labels.map((label) => candidate[label] ?? '').join(separator);
}

/** A rule's regex, which has to match from the start to the end. Undefined where it is none. */
export function regexOf({ regex = '(.*)' }: Pick<RelabelConfig, 'regex'>): RegExp | undefined {
  try {
    return new RegExp(`^(?:${regex})$`, 's');
  } catch {
    return undefined;
  }
}
