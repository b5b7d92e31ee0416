import { isDeepStrictEqual } from 'node:util';
import { applicationNames, isTracked } from '../../cluster/ownership.ts';
import type { Context } from '../../images/context.ts';
import { listIn } from '../../kubernetes/api/api.ts';
import { type KubeObject, titleOf } from '../../kubernetes/objects.ts';
import type { HorizontalPodAutoscaler } from '../../kubernetes/types.ts';
import { shortSha } from '../../lib/git/checkout.ts';
import { gitIn } from '../../lib/git/run.ts';
import { counted } from '../../lib/text.ts';
import { applicationApi, namespacesOf } from '../../repository/applications.ts';
import { readRegistrations } from '../../repository/registrations.ts';

/** What has to be after a drill as it was before, by name. */
export interface Snapshot {
  /** The commit that is checked out, which you may change at any time. */
  head: string;
  object: ReadonlyMap<string, unknown>;
  node: ReadonlyMap<string, unknown>;
  ref: ReadonlyMap<string, unknown>;
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
  const namespaces = namespacesOf((await readRegistrations(context.config.root)).applications);
  const listed = kinds.map(([apiVersion, kind]) => listIn(context.api(), apiVersion, kind, namespaces));
  const [names, deployed, registered, nodes, refs, checkout] = await Promise.all([
    applicationNames(context),
    Promise.all(listed),
    Promise.all(['Application', 'AppProject'].map((kind) => context.api().list(applicationApi, kind))),
    context.api().list('v1', 'Node'),
    gitIn(context.exec, context.config.root, 'reading').read(['for-each-ref', '--format=%(refname) %(objectname)']),
    context.checkout('fresh'),
  ]);
  const tracked = deployed.flat().filter((object) => isTracked(object, names));
  return {
    head: checkout.head,
    object: comparable([...tracked, ...registered.flat()]),
    node: comparable(nodes),
    ref: new Map([...refs.matchAll(/^(\S+) (.+)$/gm)].map(([, name = '', commit]) => [name, commit])),
  };
}

/** What a controller writes into a spec or counts in an annotation, and assigns again to an object that is recreated. */
const assignedFields = new Set([
  ...['clusterIP', 'clusterIPs', 'nodePort', 'healthCheckNodePort', 'caBundle'],
  ...['deployment.kubernetes.io/revision', 'argocd.argoproj.io/refresh'],
]);

/**
 * Objects by name, as far as they have to stay the same. Left out: status, what the cluster assigns, what Argo CD is just
 * doing, and the number of pods where an autoscaler among the objects decides it.
 */
export function comparable(objects: readonly KubeObject[]): Map<string, unknown> {
  const autoscalers = objects.filter(({ kind }) => kind === 'HorizontalPodAutoscaler') as HorizontalPodAutoscaler[];
  const scaled = new Set(
    autoscalers.map(({ metadata, spec: { scaleTargetRef } }) => titleOf({ ...metadata, ...scaleTargetRef })),
  );
  return new Map(
    objects.map(({ status: _, operation: __, metadata, ...object }) => {
      const { labels = {}, annotations = {}, finalizers = [], deletionTimestamp } = metadata;
      const name = titleOf({ ...metadata, kind: object.kind });
      // A Node's other labels and annotations are its kubelet's affair; what a drain leaves behind stands in its spec.
      const marks = object.kind === 'Node' ? {} : { labels, annotations, finalizers };
      const kept = { ...object, ...marks, isLeaving: deletionTimestamp !== undefined };
      const isLeftOut = (field: string) => assignedFields.has(field) || (field === 'replicas' && scaled.has(name));
      const text = JSON.stringify(kept, (field, value) => (isLeftOut(field) ? undefined : value));
      return [name, JSON.parse(text) as unknown];
    }),
  );
}

export interface SnapshotComparison {
  /** In words, what is not as it was. */
  differences: string[];
  /** What was compared, as '31 objects, 1 node, 4 refs'. */
  compared: string;
  /** What could not be, and why. */
  note?: string;
}

/** What a drill has left behind. Where you committed meanwhile, what was deployed has changed with it, rightly. */
export function compareSnapshots(before: Snapshot, after: Snapshot): SnapshotComparison {
  const [from, to] = [before.head, after.head].map(shortSha);
  const parts = from === to ? (['object', 'node', 'ref'] as const) : (['node'] as const);
  return {
    differences: parts.flatMap((part) => differencesOf(before[part], after[part])),
    compared: parts.map((part) => counted(after[part].size, part)).join(', '),
    ...(from !== to && {
      note: `Another commit was checked out meanwhile (${from}, now ${to}), so the objects and refs of before tell nothing.`,
    }),
  };
}

function differencesOf(before: ReadonlyMap<string, unknown>, after: ReadonlyMap<string, unknown>): string[] {
  const names = [...new Set([...before.keys(), ...after.keys()])].toSorted();
  return names.flatMap((name) => {
    if (!after.has(name)) return [`${name} is missing`];
    if (!before.has(name)) return [`${name} was not there before`];
    return isDeepStrictEqual(before.get(name), after.get(name)) ? [] : [`${name} is not as it was`];
  });
}
