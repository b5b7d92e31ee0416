/** An object as the API server gives it. */
export interface Found {
  kind: string;
  apiVersion: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    ownerReferences?: { kind: string; name: string }[];
    finalizers?: string[];
    generateName?: string;
    deletionTimestamp?: string;
  };
  type?: string;
  data?: Record<string, string>;
  [field: string]: unknown;
}

/** What Kubernetes and controllers make by themselves, under names or with content of their own. */
const passing = new Set(
  'ControllerRevision CertificateSigningRequest ComponentStatus EndpointSlice Endpoints Event IPAddress Job Lease Node NodeMetrics Pod PodMetrics ReplicaSet'.split(
    ' ',
  ),
);
const kubernetesOwn = /^kube-|^local-path-storage$/;
/** Fields that differ between two clusters that are the same to a person. */
const ownValue = new Set([
  'clusterIP',
  'clusterIPs',
  'nodePort',
  'healthCheckNodePort',
  'caBundle',
  'volumeName',
  'uid',
]);
const ownMark =
  /^(deployment\.kubernetes\.io\/revision|kubectl\.kubernetes\.io\/restartedAt|.*controller-uid|autoscaling\..*)$/;

/**
 * What two clusters that were brought up alike have in common, as a text for each object's name: kinds, names, labels,
 * annotations, specs. Left out: what is generated, status, times, numbers that the cluster gives, and the values of
 * Secrets. Of what belongs to Kubernetes itself the name has to do.
 */
export function normalised(objects: readonly Found[]): Map<string, string> {
  const scaled = new Set(
    objects
      .filter(({ kind }) => kind === 'HorizontalPodAutoscaler')
      .map(
        ({ metadata, spec }) =>
          `${metadata.namespace} ${(spec as { scaleTargetRef: { name: string } }).scaleTargetRef.name}`,
      ),
  );
  return new Map(
    objects
      .filter(({ kind, metadata }) => !passing.has(kind) && metadata.generateName === undefined)
      .map((object) => {
        const { namespace, name } = object.metadata;
        const key = `${object.kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
        const ofKubernetes =
          kubernetesOwn.test(namespace ?? '') && object.metadata.labels?.['k8s-app'] !== 'metrics-server';
        const free = scaled.has(`${namespace} ${name}`);
        return [
          key,
          ofKubernetes || name === 'kube-root-ca.crt' ? '' : JSON.stringify(content(object, free), sorted, 1),
        ];
      }),
  );
}

function content({ kind, metadata, apiVersion, status: _, data, ...rest }: Found, scaled: boolean): unknown {
  const { labels, annotations, ownerReferences, finalizers, deletionTimestamp } = metadata;
  const spec = scaled && rest.spec ? { ...(rest.spec as object), replicas: 'of the autoscaler' } : rest.spec;
  return {
    apiVersion,
    labels: withoutOwnMarks(labels),
    annotations: withoutOwnMarks(annotations),
    owners: ownerReferences?.map((owner) => `${owner.kind} ${owner.name}`),
    finalizers,
    leaving: deletionTimestamp !== undefined,
    data: kind === 'Secret' ? Object.keys(data ?? {}).sort() : data,
    ...rest,
    operation: undefined,
    spec: spec ?? undefined,
  };
}

function withoutOwnMarks(marks: Record<string, string> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(marks).filter(([name]) => !ownMark.test(name)));
}

function sorted(key: string, value: unknown): unknown {
  if (ownValue.has(key)) return undefined;
  if (key === 'annotations' || key === 'labels') value = withoutOwnMarks(value as Record<string, string>);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** In words, what the second has that the first has not, and the other way round; nothing where they are the same. */
export function differences(expected: ReadonlyMap<string, string>, found: ReadonlyMap<string, string>): string[] {
  const names = [...new Set([...expected.keys(), ...found.keys()])].sort();
  return names.flatMap((name) => {
    const [one, other] = [expected.get(name), found.get(name)];
    if (one === other) return [];
    if (one === undefined) return [`${name} should not be there`];
    if (other === undefined) return [`${name} is missing`];
    return [`${name} differs: ${firstDifference(one, other)}`];
  });
}

/** The first lines that each has and the other has not. */
function firstDifference(one: string, other: string): string {
  const [lines, others] = [one, other].map((text) => text.split('\n').map((line) => line.trim()));
  const only = (mine: string[] = [], theirs: string[] = []) =>
    mine
      .filter((line) => !theirs.includes(line))
      .slice(0, 3)
      .join(' ') || 'nothing';
  return `${only(lines, others)} became ${only(others, lines)}`;
}
