import type { KubeObject } from '../../kubernetes/objects.ts';

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
export interface End {
  namespace: string;
  namespaceLabels: Record<string, string>;
  labels: Record<string, string>;
}

/**
 * The policies that keep a connection from coming about: those that select one of its ends for its direction, where none of
 * them lets the other end pass at one of these ports (number and name). A range of addresses may mean anything, and lets pass.
 * https://kubernetes.io/docs/concepts/services-networking/network-policies/
 */
export function inTheWay(
  policies: readonly NetworkPolicy[],
  from: End,
  to: End & { ports: readonly (number | string)[] },
): NetworkPolicy[] {
  const rulesOf = ({ spec }: NetworkPolicy, type: 'Ingress' | 'Egress') =>
    type === 'Ingress'
      ? (spec.ingress ?? []).map(({ from: peers, ports }) => ({ peers, ports }))
      : (spec.egress ?? []).map(({ to: peers, ports }) => ({ peers, ports }));
  const blocking = (type: 'Ingress' | 'Egress', own: End, other: End) => {
    const selecting = policies.filter((policy) => concerns(policy, type, own));
    const passes = selecting.some((policy) =>
      rulesOf(policy, type).some(
        ({ peers, ports }) =>
          (peers === undefined || peers.some((peer) => admits(peer, own, other))) &&
          (ports === undefined || ports.some(({ port }) => port === undefined || to.ports.includes(port))),
      ),
    );
    return passes ? [] : selecting;
  };
  return [...blocking('Ingress', to, from), ...blocking('Egress', from, to)];
}

function concerns({ metadata, spec }: NetworkPolicy, type: string, end: End): boolean {
  const types = spec.policyTypes ?? ['Ingress', ...(spec.egress ? ['Egress'] : [])];
  return metadata.namespace === end.namespace && types.includes(type) && matches(spec.podSelector ?? {}, end.labels);
}

function admits({ namespaceSelector, podSelector, ipBlock }: Peer, own: End, other: End): boolean {
  if (ipBlock !== undefined) return true;
  const inNamespace = namespaceSelector
    ? matches(namespaceSelector, other.namespaceLabels)
    : own.namespace === other.namespace;
  return inNamespace && matches(podSelector ?? {}, other.labels);
}

function matches({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Record<string, string>): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = labels[key];
      if (operator === 'Exists') return value !== undefined;
      if (operator === 'DoesNotExist') return value === undefined;
      return (value !== undefined && values.includes(value)) === (operator === 'In');
    })
  );
}
