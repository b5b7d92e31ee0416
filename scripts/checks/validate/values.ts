import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { writeWhole } from '../../lib/files.ts';
import type { Finding, ValidationCheck } from '../../repository/rendering/finding.ts';
import type { Chart } from '../../repository/rendering/helm.ts';
import type { Repository } from '../../repository/rendering/repository.ts';
import { type FieldPath, mapIn, readYaml } from '../../repository/yaml.ts';

/** Whether a reader of values.yaml sees all that can be set, and in an overlay what is different there. */
export const validateValues: ValidationCheck = {
  name: 'values',
  title: 'values are explained, and overlays state differences only',
  rules: {
    'value-comment': 'Every value has a comment that begins with `# --`, or what holds it has.',
    'value-schema': 'values.schema.json knows every value.',
    'overlay-same': 'An overlay states no value that values.yaml has already.',
    'overlay-unknown': 'An overlay sets no value that values.yaml neither has nor names in a comment.',
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
  const schema = await readSchema(repository, `${chart.folder}/values.schema.json`);
  const known = overlays.filter((overlay) => overlay !== undefined);
  return [
    ...[base, ...known].flatMap((file) => [...checkComments(file), ...(schema ? checkSchema(file, schema) : [])]),
    ...known.flatMap((overlay) => checkOverlay(repository, overlay, base, schema ?? {})),
  ];
}

/** Undefined where it is no JSON, of which helm says more. */
async function readSchema(repository: Repository, file: string): Promise<JsonSchema | undefined> {
  try {
    return mapIn<JsonSchema>(JSON.parse(await repository.text(file)));
  } catch {
    return undefined;
  }
}

/** Undefined where the file is no YAML, which is said by the check of the charts. */
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

function checkSchema(file: ValuesFile, schema: JsonSchema): Finding[] {
  return leaves(file.values)
    .filter(({ path }) => findInSchema(schema, path) === undefined)
    .map(({ path }) =>
      finding(file, 'value-schema', path, 'is not in values.schema.json', 'Add it to the schema, or correct the key.'),
    );
}

function checkOverlay(repository: Repository, overlay: ValuesFile, base: ValuesFile, schema: JsonSchema): Finding[] {
  return leaves(overlay.values).flatMap(({ path, value }) => {
    const known = fieldAt(base.values, path);
    if (known === undefined) {
      if (isFree(path, base, schema) || namedInComment(base.text, String(path.at(-1)))) return [];
      const remedy = 'Correct the key, or add it with a default and a comment to values.yaml.';
      return [finding(overlay, 'overlay-unknown', path, 'is no value of values.yaml', remedy)];
    }
    if (!isDeepStrictEqual(known.value, value)) return [];
    const made = finding(overlay, 'overlay-same', path, 'has this value in values.yaml already', 'Remove it here.');
    const cut = withoutLine(overlay.text, path);
    return [cut === undefined ? made : { ...made, fix: () => removeLine(join(repository.root, overlay.file), path) }];
  });
}

/** Whether keys of one's own belong there: an empty map in values.yaml, or one that the schema leaves open. */
function isFree(path: FieldPath, base: ValuesFile, schema: JsonSchema): boolean {
  const parent = path.slice(0, -1);
  const held = fieldAt(base.values, parent)?.value;
  if (typeof held === 'object' && held !== null && Object.keys(held).length === 0) return true;
  return typeof findInSchema(schema, parent)?.additionalProperties === 'object';
}

async function removeLine(path: string, field: FieldPath): Promise<void> {
  const cut = withoutLine(await readFile(path, 'utf8'), field);
  if (cut !== undefined) writeWhole(path, cut);
}

function finding(file: ValuesFile, rule: string, path: FieldPath, what: string, remedy: string): Finding {
  const line = file.line(path);
  const message = `${path.join('.')} ${what}.`;
  return { rule, file: file.file, ...(line !== undefined && { line }), message, remedy };
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

/** The parts of a JSON schema that say which keys there are. */
export interface JsonSchema {
  $ref?: string;
  properties?: Record<string, JsonSchema | boolean>;
  patternProperties?: Record<string, JsonSchema | boolean>;
  additionalProperties?: JsonSchema | boolean;
  definitions?: Record<string, JsonSchema>;
  allOf?: JsonSchema[];
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
}

/**
 * What a schema says of the value at a path. Undefined where it names no such key, even if it lets it pass: what the
 * schema does not name, it does not check.
 */
export function findInSchema(schema: JsonSchema, path: FieldPath): JsonSchema | undefined {
  return findKey(schema, path, schema);
}

function findKey(schema: JsonSchema | boolean, path: FieldPath, root: JsonSchema): JsonSchema | undefined {
  // `true` lets everything pass and `false` nothing; neither names a key.
  if (typeof schema !== 'object' || schema === null) return schema === true && path.length === 0 ? {} : undefined;
  const [key, ...rest] = path;
  const alternatives = [...(schema.allOf ?? []), ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])];
  const target = schema.$ref?.startsWith('#/definitions/')
    ? root.definitions?.[schema.$ref.slice('#/definitions/'.length)]
    : undefined;
  if (key === undefined) return target ? { ...target, ...schema } : schema;
  const own = ownKey(schema, String(key));
  if (own !== undefined) return findKey(own, rest, root);
  for (const each of target ? [target, ...alternatives] : alternatives) {
    const found = findKey(each, path, root);
    if (found !== undefined) return found;
  }
  return undefined;
}

function ownKey(schema: JsonSchema, key: string): JsonSchema | boolean | undefined {
  const named = schema.properties?.[key];
  if (named !== undefined) return named;
  const pattern = Object.entries(schema.patternProperties ?? {}).find(([source]) => new RegExp(source).test(key));
  if (pattern !== undefined) return pattern[1];
  return typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined;
}
