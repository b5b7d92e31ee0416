import { stringify } from 'yaml';
import { isRecord } from '../lib/text.ts';
import { parseManifests } from '../lib/yaml-cache.ts';

/** In it `kubectl apply` keeps what it applied: https://kubernetes.io/docs/tasks/manage-kubernetes-objects/declarative-config/ */
export const lastAppliedAnnotation = 'kubectl.kubernetes.io/last-applied-configuration';

/** What every Kubernetes object has. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: Metadata;
  [field: string]: unknown;
}

export type Labels = Record<string, string>;

export interface Metadata {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  labels?: Labels;
  annotations?: Record<string, string>;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  finalizers?: string[];
  ownerReferences?: { kind: string; name: string; uid: string }[];
  /** Who changed the object, and how, as the API server records it for server-side apply. */
  managedFields?: ManagedFields[];
}

/** An object by its names. */
export interface Named {
  kind: string;
  namespace?: string;
  name: string;
}

/** Kind, namespace and name of an object. */
export function namedOf({ kind, metadata: { name, namespace } }: Pick<KubeObject, 'kind' | 'metadata'>): Named {
  return { kind, ...(namespace !== undefined && { namespace }), name };
}

export interface ManagedFields {
  manager?: string;
  operation?: string;
  /** When one of these fields changed last, whole seconds. */
  time?: string;
  /** 'status' or 'scale', where it was written by way of that. */
  subresource?: string;
  /** The fields, as a tree: https://pkg.go.dev/k8s.io/apimachinery/pkg/apis/meta/v1#FieldsV1 */
  fieldsV1?: object;
}

/**
 * The objects of a manifest, in its order; those of a List in place of it, as kubectl has it.
 * @throws YAMLParseError for broken YAML, and an Error for a document that is no object.
 */
export function parseObjects(yaml: string): KubeObject[] {
  return parseManifests(yaml)
    .flatMap((value) => objectsAt(value))
    .map(({ object }) => {
      const missing = missingIn(object);
      if (missing === undefined) return object;
      throw new Error(`a document in it is no Kubernetes object: it has no ${missing}`);
    });
}

/**
 * What a document holds, and where in it: the items of a List in place of that, and nothing in an empty one. Whether each of
 * them is an object, `missingIn` tells.
 */
export function objectsAt(
  value: unknown,
  path: readonly (string | number)[] = [],
): { object: KubeObject; path: readonly (string | number)[] }[] {
  if (value === null || value === undefined) return [];
  if (!isRecord(value) || value.kind !== 'List' || !Array.isArray(value.items))
    return [{ object: value as KubeObject, path }];
  return value.items.flatMap((item, index) => objectsAt(item, [...path, 'items', index]));
}

/** What a value lacks to be an object of Kubernetes, if anything. */
export function missingIn(value: unknown): string | undefined {
  if (!isRecord(value)) return 'apiVersion and kind';
  const { apiVersion, kind, metadata } = value;
  if (typeof apiVersion !== 'string' || apiVersion === '') return 'apiVersion';
  if (typeof kind !== 'string' || kind === '') return 'kind';
  // The configuration of kind has its name at the top.
  const { name, labels, annotations } = kind === 'Cluster' ? value : isRecord(metadata) ? metadata : {};
  if (typeof name !== 'string' || name === '') return 'metadata.name';
  if (!isRecord(labels ?? {}) || !isRecord(annotations ?? {})) return 'labels and annotations that are maps';
  return undefined;
}

/** One YAML text of several objects, for `kubectl apply`. */
export function toYaml(objects: readonly KubeObject[]): string {
  // JSON is YAML, and far quicker to write and to read than indented blocks.
  return objects.map((object) => JSON.stringify(object)).join('\n---\n');
}

/** YAML as a person reads it. */
export function toReadableYaml(value: unknown): string {
  return stringify(value, { lineWidth: 0 });
}

/** 'Deployment argocd/argocd-server', or without the namespace where it has none. */
export function nameOf({ kind, metadata }: KubeObject): string {
  return titleOf({ kind, ...metadata });
}

/** The same of an object of which only the names are at hand. */
export function titleOf({ kind, namespace, name }: Named): string {
  return `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
}

/** What tells an object from every other one, whichever version of its kind it was read in. */
export function identityOf({ apiVersion, kind, metadata }: KubeObject): string {
  return `${groupOf(apiVersion)} ${kind} ${metadata.namespace ?? ''} ${metadata.name}`;
}

/** The API group of a version: that of 'apps/v1' is 'apps', that of 'v1' is ''. */
export function groupOf(apiVersion: string): string {
  return apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '';
}

/** The REST path below which the API server lists objects of this kind, in all namespaces or in one. */
export function collectionPath(
  apiVersion: string,
  kind: string,
  namespace?: string,
  /** The plural, for kinds of other people's. */
  resource = pluralOf(kind),
): string {
  const group = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return `${group}${namespace === undefined ? '' : `/namespaces/${namespace}`}/${resource}`;
}

/** The REST path of an object. */
export function objectPath({ apiVersion, kind, metadata: { namespace, name } }: KubeObject): string {
  return `${collectionPath(apiVersion, kind, namespace)}/${name}`;
}

/** Kubernetes' own kinds form their plurals by these three rules; so do Argo CD's. */
function pluralOf(kind: string): string {
  const lower = kind.toLowerCase();
  if (/(s|x|z|ch|sh)$/.test(lower)) return `${lower}es`;
  return /[^aeiou]y$/.test(lower) ? `${lower.slice(0, -1)}ies` : `${lower}s`;
}
