import type { KubeObject } from '../../kubernetes/objects.ts';

/** What a controller writes into a spec or counts in an annotation, and gives anew to an object that is made anew. */
const given = new Set(['clusterIP', 'clusterIPs', 'nodePort', 'healthCheckNodePort', 'caBundle']);
const counted = /^(deployment\.kubernetes\.io\/revision|argocd\.argoproj\.io\/refresh)$/;

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
    ? without(object.spec as object, 'replicas')
    : object.spec;
  const kept = Object.fromEntries(Object.entries(annotations).filter(([name]) => !counted.test(name)));
  // A Node's other labels and annotations are its kubelet's affair; what a drain leaves behind stands in its spec.
  const marks = object.kind === 'Node' ? {} : { labels, annotations: kept, finalizers };
  return JSON.stringify({ ...object, ...marks, spec, leaving: deletionTimestamp !== undefined }, inOrder);
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

function without(object: object, field: string): object {
  return Object.fromEntries(Object.entries(object).filter(([name]) => name !== field));
}

/** For JSON: the order of fields tells nothing. */
function inOrder(key: string, value: unknown): unknown {
  if (given.has(key)) return undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1)));
}
