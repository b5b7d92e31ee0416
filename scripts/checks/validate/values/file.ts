import { type FieldPath, readYaml } from '../../../repository/yaml.ts';

/** The values that a file sets: what holds no further keys. A list is one value, since Helm replaces it as a whole. */
export function leaves(values: unknown, path: FieldPath = []): { path: FieldPath; value: unknown }[] {
  const keys = isMap(values) ? Object.entries(values) : [];
  if (keys.length === 0) return path.length === 0 ? [] : [{ path, value: values }];
  return keys.flatMap(([key, value]) => leaves(value, [...path, key]));
}

/** The value at a path, in a wrapper since it may be null; undefined where there is none. */
export function fieldAt(values: unknown, path: FieldPath): { value: unknown } | undefined {
  let value = values;
  for (const key of path) {
    if (!isMap(value) || !(key in value)) return undefined;
    value = value[key];
  }
  return { value };
}

function isMap(value: unknown): value is Record<string | number, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether one of the comment lines right above a line, from 1, begins with `# --`. */
export function isCommented(text: string, line: number | undefined): boolean {
  if (line === undefined) return false;
  const lines = text.split('\n');
  for (let at = line - 2; /^\s*#/.test(lines[at] ?? ''); at -= 1) {
    if (/^\s*# -- \S/.test(lines[at] ?? '')) return true;
  }
  return false;
}

/** Whether a comment names this key, in backticks. */
export function namedInComment(text: string, key: string): boolean {
  return text.split('\n').some((line) => /^\s*#/.test(line) && line.includes(`\`${key}\``));
}

/**
 * The text without a value that stands on one line, and without the comment right above it. Undefined where that would
 * not be all: a value of several lines, or the only one in its map.
 */
export function withoutLine(text: string, path: FieldPath): string | undefined {
  const [document] = readYaml(text);
  const line = document?.line(path);
  const scalar = document?.scalar(path);
  const siblings = Object.keys((fieldAt(document?.value, path.slice(0, -1))?.value as object | undefined) ?? {});
  if (line === undefined || scalar === undefined || siblings.length < 2) return undefined;
  const lines = text.split('\n');
  if (/[|>][-+0-9]*\s*(#.*)?$/.test(lines[line - 1] ?? '') || scalar.source?.includes('\n')) return undefined;
  let first = line - 1;
  while (first > 0 && /^\s*#/.test(lines[first - 1] ?? '')) first -= 1;
  return [...lines.slice(0, first), ...lines.slice(line)].join('\n');
}
