import type { KubeObject } from '../../kubernetes/objects.ts';
import type { Pod } from '../../kubernetes/workloads.ts';
import { matchesSelector } from '../validate/references/cluster.ts';
import { nameLabel, type VerificationFinding } from './check.ts';
import type { LiveCluster } from './live.ts';
import { type ActiveTarget, prometheusNamespace } from './prometheus-api.ts';
import type { LiveJob } from './relabeling.ts';

/** Why a target is down, from what the scrape failed with and from what stands between Prometheus and the pod. */
export async function explainDownTarget(
  live: LiveCluster,
  service: string,
  pod: Pod,
  { scrapeUrl, scrapePool, lastError }: ActiveTarget,
  jobs: readonly LiveJob[],
): Promise<VerificationFinding> {
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

async function policiesBetween(live: LiveCluster, pod: Pod): Promise<NetworkPolicy[]> {
  const [policies, namespaces, pods] = await Promise.all([
    live.list<NetworkPolicy>('networking.k8s.io/v1', 'NetworkPolicy'),
    live.list<KubeObject>('v1', 'Namespace'),
    live.list<Pod>('v1', 'Pod', prometheusNamespace),
  ]);
  const prometheus = pods.find(({ metadata }) => metadata.labels?.[nameLabel] === 'prometheus');
  if (!prometheus) return [];
  const end = ({ metadata: { namespace = '', labels = {} } }: Pod): ConnectionEnd => ({
    namespace,
    labels,
    namespaceLabels: namespaces.find(({ metadata }) => metadata.name === namespace)?.metadata.labels ?? {},
  });
  const { containers } = pod.spec as unknown as Ports;
  const ports = containers.flatMap((container) => container.ports ?? []);
  return blockingPolicies(policies, end(prometheus), {
    ...end(pod),
    ports: ports.flatMap(({ name, containerPort }) => [containerPort, ...(name === undefined ? [] : [name])]),
  });
}

interface Selector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'; values?: string[] }[];
}

interface Peer {
  namespaceSelector?: Selector;
  podSelector?: Selector;
  ipBlock?: object;
}

export interface NetworkPolicy extends KubeObject {
  spec: {
    podSelector?: Selector;
    policyTypes?: string[];
    ingress?: { from?: Peer[]; ports?: { port?: number | string }[] }[];
    egress?: { to?: Peer[]; ports?: { port?: number | string }[] }[];
  };
}

/** One end of a connection. */
export interface ConnectionEnd {
  namespace: string;
  namespaceLabels: Record<string, string>;
  labels: Record<string, string>;
}

/**
 * The policies that keep a connection from coming about: those that select one of its ends for its direction, where none of
 * them lets the other end pass at one of these ports (number and name). A range of addresses may mean anything, and lets pass.
 * https://kubernetes.io/docs/concepts/services-networking/network-policies/
 */
export function blockingPolicies(
  policies: readonly NetworkPolicy[],
  from: ConnectionEnd,
  to: ConnectionEnd & { ports: readonly (number | string)[] },
): NetworkPolicy[] {
  const rulesOf = ({ spec }: NetworkPolicy, type: 'Ingress' | 'Egress') =>
    type === 'Ingress'
      ? (spec.ingress ?? []).map(({ from: peers, ports }) => ({ peers, ports }))
      : (spec.egress ?? []).map(({ to: peers, ports }) => ({ peers, ports }));
  const blocking = (type: 'Ingress' | 'Egress', own: ConnectionEnd, other: ConnectionEnd) => {
    const selecting = policies.filter((policy) => appliesTo(policy, type, own));
    const passes = selecting.some((policy) =>
      rulesOf(policy, type).some(
        ({ peers, ports }) =>
          (peers === undefined || peers.some((peer) => allowsPeer(peer, own, other))) &&
          (ports === undefined || ports.some(({ port }) => port === undefined || to.ports.includes(port))),
      ),
    );
    return passes ? [] : selecting;
  };
  return [...blocking('Ingress', to, from), ...blocking('Egress', from, to)];
}

function appliesTo({ metadata, spec }: NetworkPolicy, type: string, end: ConnectionEnd): boolean {
  const types = spec.policyTypes ?? ['Ingress', ...(spec.egress ? ['Egress'] : [])];
  return (
    metadata.namespace === end.namespace && types.includes(type) && matchesSelector(spec.podSelector ?? {}, end.labels)
  );
}

function allowsPeer(
  { namespaceSelector, podSelector, ipBlock }: Peer,
  own: ConnectionEnd,
  other: ConnectionEnd,
): boolean {
  if (ipBlock !== undefined) return true;
  const inNamespace = namespaceSelector
    ? matchesSelector(namespaceSelector, other.namespaceLabels)
    : own.namespace === other.namespace;
  return inNamespace && matchesSelector(podSelector ?? {}, other.labels);
}
