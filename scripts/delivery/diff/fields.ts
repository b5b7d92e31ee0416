import { isDeepStrictEqual } from 'node:util';

/** A field that differs; one of the two is undefined where it comes or goes. */
export interface Field {
  /** Items of a list that have names are named, as in ['containers', '[api]', 'image']. */
  path: readonly string[];
  before: unknown;
  after: unknown;
}

/** The innermost fields in which two values differ, in the order of the first, then of the second. */
export function changedFields(before: unknown, after: unknown, path: readonly string[] = []): Field[] {
  if (isDeepStrictEqual(before, after)) return [];
  const [one, two] = [entriesOf(before), entriesOf(after)];
  if (!one || !two) return [{ path, before, after }];
  return [...new Set([...one.keys(), ...two.keys()])].flatMap((key) =>
    changedFields(one.get(key), two.get(key), [...path, key]),
  );
}

/** `containers[api].image`, `metadata.annotations.checksum/config`. */
export function pathName(path: readonly string[]): string {
  return path.join('.').replaceAll('.[', '[');
}

function entriesOf(value: unknown): Map<string, unknown> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (!Array.isArray(value)) return new Map(Object.entries(value));
  const names = value.map((item) => (item as { name?: unknown } | null)?.name);
  const named = names.every((name) => typeof name === 'string') && new Set(names).size === names.length;
  return new Map(value.map((item, index) => [`[${named ? names[index] : index}]`, item]));
}
