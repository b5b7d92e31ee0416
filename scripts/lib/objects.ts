import { parseAllDocuments, stringify } from 'yaml';

/** What every Kubernetes object has. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: Metadata;
  [field: string]: unknown;
}

export interface Metadata {
  name: string;
  namespace?: string;
  uid?: string;
  generation?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  finalizers?: string[];
}

/** What `verbatim` keeps of an object beside its head. */
const texts = new WeakMap<KubeObject, string>();

/** The objects of a manifest, in its order. Throws with file and line where the YAML is broken. */
export function parseObjects(yaml: string, file: string): KubeObject[] {
  return parseAllDocuments(yaml).flatMap((document) => {
    const [error] = document.errors;
    if (error) throw new Error(`${file}: ${error.message}`);
    const object = document.toJS() as KubeObject | null;
    return object === null ? [] : [object];
  });
}

/** One YAML text of several objects, for `kubectl apply`. */
export function toYaml(objects: readonly KubeObject[]): string {
  // JSON is YAML, and far quicker to write and to read than indented blocks.
  return objects.map((object) => texts.get(object) ?? JSON.stringify(object)).join('\n---\n');
}

/** YAML as a person reads it. */
export function toReadableYaml(value: unknown): string {
  return stringify(value, { lineWidth: 0 });
}

/** 'Deployment argocd/argocd-server', or without the namespace where it has none. */
export function nameOf(object: KubeObject): string {
  const { name, namespace } = object.metadata;
  return `${object.kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
}

/** The REST path below which the API server lists objects of this kind, in all namespaces or in one. */
export function collectionPath(apiVersion: string, kind: string, namespace?: string): string {
  const group = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return `${group}${namespace === undefined ? '' : `/namespaces/${namespace}`}/${pluralOf(kind)}`;
}

/** Kubernetes' own kinds form their plurals by these three rules; so do Argo CD's. */
function pluralOf(kind: string): string {
  const lower = kind.toLowerCase();
  if (/(s|x|z|ch|sh)$/.test(lower)) return `${lower}es`;
  return /[^aeiou]y$/.test(lower) ? `${lower.slice(0, -1)}ies` : `${lower}s`;
}

/**
 * An object of which only the head is read, and whose text is handed on as it stands: custom resource definitions are
 * a megabyte of schema that nothing here looks at, and that takes a second to parse.
 */
export function verbatim(yaml: string): KubeObject {
  const [head = ''] = yaml.split(/^spec:/m);
  const object = parseObjects(head, 'manifest')[0];
  if (object === undefined) throw new Error('a manifest without an object');
  texts.set(object, yaml.trim());
  return object;
}
