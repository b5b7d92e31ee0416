import { isDeepStrictEqual } from 'node:util';
import { groupOf, type KubeObject } from '../../kubernetes/objects.ts';

/** An entry of an Application's `spec.ignoreDifferences`. */
export interface Ignored {
  group?: string;
  kind: string;
  name?: string;
  namespace?: string;
  jsonPointers?: string[];
  jqPathExpressions?: string[];
  managedFieldsManagers?: string[];
}

const ofTheServer = ['managedFields', 'resourceVersion', 'generation', 'uid', 'creationTimestamp', 'selfLink'];
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

/** An object without what the API server keeps book of, what controllers report, and what the Application has ignored. */
export function normalised(object: KubeObject, ignored: readonly Ignored[] = []): KubeObject {
  const { status, ...rest } = object;
  const copy = structuredClone(rest) as KubeObject;
  const metadata = copy.metadata as unknown as Record<string, unknown>;
  for (const field of ofTheServer) delete metadata[field];
  delete copy.metadata.annotations?.[lastApplied];
  for (const entry of ignored) {
    if (matches(entry, object)) for (const pointer of entry.jsonPointers ?? []) removeAt(copy, pointer);
  }
  return copy;
}

function matches(
  { group = '', kind, name, namespace }: Ignored,
  { apiVersion, kind: of, metadata }: KubeObject,
): boolean {
  const fits = (pattern: string | undefined, text: string) =>
    pattern === undefined || pattern === '*' || pattern === text || (pattern === '' && text === '');
  return (
    fits(group, groupOf(apiVersion)) &&
    fits(kind, of) &&
    fits(name || undefined, metadata.name) &&
    fits(namespace || undefined, metadata.namespace ?? '')
  );
}

/** Removes what a JSON pointer (RFC 6901) leads to; nothing where it leads nowhere. */
function removeAt(object: KubeObject, pointer: string): void {
  const parts = pointer.split('/').slice(1);
  const keys = parts.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  const last = keys.pop();
  const parent = keys.reduce<unknown>((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], object);
  if (last === undefined || typeof parent !== 'object' || parent === null) return;
  if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else delete (parent as Record<string, unknown>)[last];
}

/** Both with every value of a Secret hidden; one that differs is told apart as before and after. */
export function masked(before: KubeObject | undefined, after: KubeObject | undefined) {
  const other = (one: KubeObject | undefined, two: KubeObject | undefined, word: string) => one && hide(one, two, word);
  return { before: other(before, after, 'before'), after: other(after, before, 'after') };
}

function hide(object: KubeObject, other: KubeObject | undefined, word: string): KubeObject {
  if (object.kind !== 'Secret' || object.apiVersion !== 'v1') return object;
  const copy = { ...object };
  for (const field of ['data', 'stringData']) {
    if (copy[field]) copy[field] = hidden(copy[field], other && (other[field] ?? {}), word);
  }
  return copy;
}

function hidden(values: object, others: object | undefined, word: string): Record<string, string> {
  const known = others as Record<string, unknown> | undefined;
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => {
      const changed = known !== undefined && key in known && !isDeepStrictEqual(known[key], value);
      return [key, changed ? `(hidden, ${word})` : '(hidden)'];
    }),
  );
}
