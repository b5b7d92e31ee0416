import type { KubeObject } from '../../kubernetes/objects.ts';
import type { Pod } from '../../kubernetes/workloads.ts';
import type { Finding } from './check.ts';
import type { Live } from './live.ts';
import { type End, inTheWay, type NetworkPolicy } from './network-policies.ts';
import { nameLabel } from './pods.ts';
import type { ActiveTarget } from './prometheus.ts';
import type { LiveJob } from './relabeling.ts';

const prometheusNamespace = 'observability';

/** Why a target is down, from what the scrape failed with and from what stands between Prometheus and the pod. */
export async function whyDown(
  live: Live,
  service: string,
  pod: Pod,
  { scrapeUrl, scrapePool, lastError }: ActiveTarget,
  jobs: readonly LiveJob[],
): Promise<Finding> {
  const { name } = pod.metadata;
  const blocking = /HTTP status/.test(lastError) ? [] : await policiesBetween(live, pod);
  if (blocking.length > 0) {
    const policies = blocking.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`).join(' and ');
    return {
      message: `The NetworkPolicy ${policies} does not let Prometheus reach the pod ${name} (${lastError}).`,
      remedy: `Let the namespace ${prometheusNamespace} in: networkPolicy.fromNamespaces.prometheus in helm/${service}/values.yaml, or take the policy away.`,
      lasting: true,
    };
  }
  const status = /HTTP status (\d+)/.exec(lastError)?.[1];
  if (status === '404') {
    const path = jobs.find((job) => job.name === scrapePool)?.metricsPath ?? '';
    return {
      message: `The pod ${name} answers 404 to ${scrapeUrl}: the job ${scrapePool} asks for ${path}, and the metrics are elsewhere.`,
      remedy: `Correct metrics_path of the job ${scrapePool} in observability/prometheus (the services have theirs at /metrics), and npm run up.`,
    };
  }
  const what = status === undefined ? `can't be scraped: ${lastError}` : `answers ${status} to ${scrapeUrl}`;
  return {
    message: `The pod ${name} ${what}.`,
    remedy: `Look at the pod: kubectl -n ${pod.metadata.namespace} logs ${name}; and at Status > Target health in Prometheus.`,
  };
}

interface Ports {
  containers: { ports?: { name?: string; containerPort: number }[] }[];
}

async function policiesBetween(live: Live, pod: Pod): Promise<NetworkPolicy[]> {
  const [policies, namespaces, pods] = await Promise.all([
    live.list<NetworkPolicy>('networking.k8s.io/v1', 'NetworkPolicy'),
    live.list<KubeObject>('v1', 'Namespace'),
    live.list<Pod>('v1', 'Pod', prometheusNamespace),
  ]);
  const prometheus = pods.find(({ metadata }) => metadata.labels?.[nameLabel] === 'prometheus');
  if (!prometheus) return [];
  const end = ({ metadata: { namespace = '', labels = {} } }: Pod): End => ({
    namespace,
    labels,
    namespaceLabels: namespaces.find(({ metadata }) => metadata.name === namespace)?.metadata.labels ?? {},
  });
  const { containers } = pod.spec as unknown as Ports;
  const ports = containers.flatMap((container) => container.ports ?? []);
  return inTheWay(policies, end(prometheus), {
    ...end(pod),
    ports: ports.flatMap(({ name, containerPort }) => [containerPort, ...(name === undefined ? [] : [name])]),
  });
}
