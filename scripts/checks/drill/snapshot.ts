import { applicationNames, isTracked } from '../../cluster/ownership.ts';
import type { Context } from '../../images/context.ts';
import { type KubeObject, nameOf } from '../../kubernetes/objects.ts';
import { shortSha } from '../../lib/git/checkout.ts';
import { gitIn } from '../../lib/git/run.ts';
import { counted } from '../../lib/text.ts';
import { applicationApi, servicesNamespace } from '../../repository/applications.ts';

/** What has to be after a drill as it was before: a text for each thing's name. */
export interface Snapshot {
  /** The commit that is checked out, which you may change at any time. */
  head: string;
  objects: ReadonlyMap<string, string>;
  nodes: ReadonlyMap<string, string>;
  refs: ReadonlyMap<string, string>;
}

/** What the charts render, or a drill has them render. */
const kinds = [
  ['v1', 'ConfigMap'],
  ['v1', 'Service'],
  ['v1', 'ServiceAccount'],
  ['apps/v1', 'Deployment'],
  ['autoscaling/v2', 'HorizontalPodAutoscaler'],
  ['networking.k8s.io/v1', 'Ingress'],
  ['networking.k8s.io/v1', 'NetworkPolicy'],
  ['policy/v1', 'PodDisruptionBudget'],
] as const;

/** Looks at every object that Argo CD deployed, at the Applications, the nodes, and Git's branches and tags. */
export async function takeSnapshot(context: Context): Promise<Snapshot> {
  const [names, deployed, registered, nodes, refs, checkout] = await Promise.all([
    applicationNames(context),
    Promise.all(kinds.map(([apiVersion, kind]) => context.api().list(apiVersion, kind, servicesNamespace))),
    Promise.all(['Application', 'AppProject'].map((kind) => context.api().list(applicationApi, kind))),
    context.api().list('v1', 'Node'),
    refsOf(context),
    context.checkout('fresh'),
  ]);
  const tracked = deployed.flat().filter((object) => isTracked(object, names));
  const texts = (objects: readonly KubeObject[]) =>
    new Map(objects.map((object) => [nameOf(object), comparable(object, objects)]));
  return {
    head: checkout.head,
    objects: texts([...tracked, ...registered.flat()]),
    nodes: texts(nodes),
    refs,
  };
}

async function refsOf({ exec, config }: Context): Promise<Map<string, string>> {
  const format = '--format=%(refname) %(objectname)';
  const refs = await gitIn(exec, config.root, 'reading').read(['for-each-ref', format]);
  const lines = refs.split('\n').filter((line) => line !== '');
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]));
}

/** What a controller writes into a spec or counts in an annotation, and assigns again to an object that is recreated. */
const assignedFields = new Set(['clusterIP', 'clusterIPs', 'nodePort', 'healthCheckNodePort', 'caBundle']);
const volatileAnnotations = /^(deployment\.kubernetes\.io\/revision|argocd\.argoproj\.io\/refresh)$/;

interface Scaled extends KubeObject {
  spec: { scaleTargetRef?: { kind: string; name: string } };
}

/**
 * An object as a text that is the same for as long as it says the same. Left out: its status, what the cluster gives it, what Argo CD is
 * just doing, and the number of pods where one of `all` is an autoscaler that decides it.
 */
export function comparable(
  { metadata, status: _, operation: __, ...object }: KubeObject,
  all: readonly KubeObject[],
): string {
  const { labels = {}, annotations = {}, finalizers = [], deletionTimestamp } = metadata;
  const spec = isScaled({ ...object, metadata } as KubeObject, all)
    ? omit(object.spec as object, 'replicas')
    : object.spec;
  const kept = Object.fromEntries(Object.entries(annotations).filter(([name]) => !volatileAnnotations.test(name)));
  // A Node's other labels and annotations are its kubelet's affair; what a drain leaves behind stands in its spec.
  const marks = object.kind === 'Node' ? {} : { labels, annotations: kept, finalizers };
  return JSON.stringify({ ...object, ...marks, spec, leaving: deletionTimestamp !== undefined }, sortedFields);
}

function isScaled({ kind, metadata }: KubeObject, all: readonly KubeObject[]): boolean {
  return (all as readonly Scaled[]).some(
    (one) =>
      one.kind === 'HorizontalPodAutoscaler' &&
      one.metadata.namespace === metadata.namespace &&
      one.spec.scaleTargetRef?.kind === kind &&
      one.spec.scaleTargetRef.name === metadata.name,
  );
}

function omit(object: object, field: string): object {
  return Object.fromEntries(Object.entries(object).filter(([name]) => name !== field));
}

/** For JSON: the order of fields tells nothing. */
function sortedFields(key: string, value: unknown): unknown {
  if (assignedFields.has(key)) return undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

export interface SnapshotComparison {
  /** In words, what is not as it was. */
  differences: string[];
  /** What was compared, as '31 objects, 1 node and 4 refs'. */
  compared: string;
  /** What could not be, and why. */
  note?: string;
}

/** What a drill has left behind. Where you committed meanwhile, what was deployed has changed with it, rightly. */
export function compareSnapshots(before: Snapshot, after: Snapshot): SnapshotComparison {
  const nodes = differencesOf(before.nodes, after.nodes);
  if (before.head !== after.head) {
    const [from, to] = [before.head, after.head].map(shortSha);
    return {
      differences: nodes,
      compared: counted(after.nodes.size, 'node'),
      note: `Another commit was checked out meanwhile (${from}, now ${to}), so the objects and refs of before tell nothing.`,
    };
  }
  return {
    differences: [...differencesOf(before.objects, after.objects), ...nodes, ...differencesOf(before.refs, after.refs)],
    compared: `${counted(after.objects.size, 'object')}, ${counted(after.nodes.size, 'node')} and ${counted(after.refs.size, 'ref')}`,
  };
}

function differencesOf(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  const names = [...new Set([...before.keys(), ...after.keys()])].toSorted();
  return names.flatMap((name) => {
    const [one, other] = [before.get(name), after.get(name)];
    if (one === other) return [];
    if (one === undefined) return [`${name} was not there before`];
    return [other === undefined ? `${name} is missing` : `${name} is not as it was`];
  });
}
