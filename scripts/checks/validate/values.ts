import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { writeWhole } from '../../lib/files.ts';
import type { Finding } from '../../repository/rendering/finding.ts';
import type { Chart } from '../../repository/rendering/helm.ts';
import type { Repository, ValidationCheck } from '../../repository/rendering/repository.ts';
import { type FieldPath, mapIn, readYaml } from '../../repository/yaml.ts';

/** Whether a reader of values.yaml sees all that can be set, and in an overlay what is different there. */
export const validateValues: ValidationCheck = {
  name: 'values',
  title: 'values are explained, and overlays state differences only',
  rules: {
    'value-comment': 'Every value has a comment that begins with `# --`, or what holds it has.',
    'overlay-same': 'An overlay states no value that values.yaml has already.',
  },
  async run(repository) {
    const charts = await repository.charts();
    return (await Promise.all(charts.map((chart) => checkChart(repository, chart)))).flat();
  },
};

interface ValuesFile {
  file: string;
  text: string;
  values: object;
  line(path: FieldPath): number | undefined;
}

async function checkChart(repository: Repository, chart: Chart): Promise<Finding[]> {
  const [base, ...overlays] = await Promise.all(
    ['values.yaml', ...chart.overlays].map((name) => readValues(repository, `${chart.folder}/${name}`)),
  );
  if (base === undefined) return [];
  const known = overlays.filter((overlay) => overlay !== undefined);
  return [
    ...[base, ...known].flatMap(checkComments),
    ...known.flatMap((overlay) => checkOverlay(repository.root, overlay, base)),
  ];
}

/** Undefined where the file is not YAML, which the check of the files reports. */
async function readValues(repository: Repository, file: string): Promise<ValuesFile | undefined> {
  const text = await repository.text(file);
  const [document] = readYaml(text);
  if (document?.error !== undefined) return undefined;
  return { file, text, values: mapIn(document?.value), line: (path) => document?.line(path) };
}

function checkComments(file: ValuesFile): Finding[] {
  const isExplained = (path: FieldPath) =>
    path.some((_, depth) => isCommented(file.text, file.line(path.slice(0, depth + 1))));
  return leaves(file.values)
    .filter(({ path }) => !isExplained(path))
    .map(({ path }) =>
      finding(file, 'value-comment', path, 'has no comment', 'Put a line above it: `# -- What it is, in a sentence.`'),
    );
}

function checkOverlay(root: string, overlay: ValuesFile, base: ValuesFile): Finding[] {
  return leaves(overlay.values).flatMap(({ path, value }) => {
    const known = fieldAt(base.values, path);
    if (known === undefined || !isDeepStrictEqual(known.value, value)) return [];
    const made = finding(overlay, 'overlay-same', path, 'has this value in values.yaml already', 'Remove it here.');
    const cut = withoutLine(overlay.text, path);
    return [cut === undefined ? made : { ...made, fix: () => removeLine(join(root, overlay.file), path) }];
  });
}

async function removeLine(path: string, field: FieldPath): Promise<void> {
  const cut = withoutLine(await readFile(path, 'utf8'), field);
  if (cut !== undefined) writeWhole(path, cut);
}

function finding(file: ValuesFile, rule: string, path: FieldPath, what: string, remedy: string): Finding {
  return { rule, file: file.file, line: file.line(path), message: `${path.join('.')} ${what}.`, remedy };
}

/** The values that a file sets: what holds no further keys. A list is one value, since Helm replaces it as a whole. */
export function leaves(values: unknown, path: FieldPath = []): { path: FieldPath; value: unknown }[] {
  const keys = isMap(values) ? Object.entries(values) : [];
  if (keys.length === 0) return path.length === 0 ? [] : [{ path, value: values }];
  return keys.flatMap(([key, value]) => leaves(value, [...path, key]));
}

/** The value at a path, in a wrapper since it may be null; undefined where there is none. */
function fieldAt(values: unknown, path: FieldPath): { value: unknown } | undefined {
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
