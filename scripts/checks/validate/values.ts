import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { isMap, type Node, type Pair } from 'yaml';
import { writeWhole } from '../../lib/files.ts';
import type { Finding } from '../../repository/rendering/finding.ts';
import type { Chart } from '../../repository/rendering/helm.ts';
import type { Repository, ValidationCheck } from '../../repository/rendering/repository.ts';
import { editYaml, type FieldPath, mapIn, readYaml } from '../../repository/yaml.ts';

/** Whether a reader of values.yaml sees all that can be set, and in an overlay what is different there. */
export const validateValues: ValidationCheck = {
  name: 'values',
  title: 'values are explained, and overlays state differences only',
  rules: {
    'value-comment': 'Every value has a comment that begins with `# --`, or what holds it has.',
    'overlay-same': 'An overlay states no value that values.yaml has already.',
  },
  async run(repository) {
    const files = new Set(await repository.files('helm'));
    // A chart need not have values.
    const charts = (await repository.charts()).filter(({ folder }) => files.has(`${folder}/values.yaml`));
    return (await Promise.all(charts.map((chart) => checkChart(repository, chart)))).flat();
  },
};

interface ValuesFile {
  file: string;
  text: string;
  values: unknown;
  line(path: FieldPath): number | undefined;
}

async function checkChart(repository: Repository, { folder, overlays }: Chart): Promise<Finding[]> {
  const names = ['values.yaml', ...overlays].map((name) => `${folder}/${name}`);
  const files = await Promise.all(
    names.map(async (file): Promise<ValuesFile | undefined> => {
      const text = await repository.text(file);
      const [document] = readYaml(text);
      // A file that is not YAML is reported by the check of the files.
      return document?.error
        ? undefined
        : { file, text, values: document?.value, line: (path) => document?.line(path) };
    }),
  );
  const [base, ...others] = files;
  if (base === undefined) return [];
  const known = others.filter((overlay) => overlay !== undefined);
  return [
    ...[base, ...known].flatMap(checkComments),
    ...known.flatMap((overlay) => checkOverlay(repository.root, overlay, base)),
  ];
}

function checkComments(file: ValuesFile): Finding[] {
  const isExplained = (path: FieldPath) =>
    path.some((_, depth) => isCommented(file.text, file.line(path.slice(0, depth + 1))));
  const remedy = 'Put a line above it: `# -- What it is, in a sentence.`';
  return leaves(file.values)
    .filter(({ path }) => !isExplained(path))
    .map(({ path }) => finding(file, 'value-comment', path, 'has no comment', remedy));
}

function checkOverlay(root: string, overlay: ValuesFile, base: ValuesFile): Finding[] {
  const path = join(root, overlay.file);
  return leaves(overlay.values)
    .filter(({ path, value }) => isDeepStrictEqual(valueAt(base.values, path), value))
    .map(({ path: field }) => {
      const made = finding(overlay, 'overlay-same', field, 'has this value in values.yaml already', 'Remove it here.');
      const isAlone = Object.keys(mapIn(valueAt(overlay.values, field.slice(0, -1)))).length < 2;
      const fix = async () => writeWhole(path, withoutValue(await readFile(path, 'utf8'), overlay.file, field));
      return isAlone ? made : { ...made, fix };
    });
}

function finding(file: ValuesFile, rule: string, path: FieldPath, what: string, remedy: string): Finding {
  return { rule, file: file.file, line: file.line(path), message: `${path.join('.')} ${what}.`, remedy };
}

/** The values that a file sets: what holds no further keys. A list is one value, since Helm replaces it as a whole. */
export function leaves(value: unknown, path: FieldPath = []): { path: FieldPath; value: unknown }[] {
  const keys = Object.entries(mapIn<Record<string, unknown>>(value));
  if (keys.length === 0) return path.length === 0 ? [] : [{ path, value }];
  return keys.flatMap(([key, inner]) => leaves(inner, [...path, key]));
}

/** Undefined where there is none: YAML has no such value. */
function valueAt(values: unknown, path: FieldPath): unknown {
  return path.reduce((inner, key) => mapIn<Record<string, unknown>>(inner)[key], values);
}

/** Whether one of the comment lines right above a line, from 1, begins with `# --`. */
export function isCommented(text: string, line = 0): boolean {
  const lines = text.split('\n').slice(0, Math.max(0, line - 1));
  const above = lines.slice(lines.findLastIndex((each) => !/^\s*#/.test(each)) + 1);
  return above.some((each) => /^\s*# -- \S/.test(each));
}

/** The text without a value, and without the comment right above it; one that a blank line parts from that stays. */
export function withoutValue(text: string, file: string, path: FieldPath): string {
  return editYaml(text, file, (document) => {
    const map = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
    // A map that is left empty is another value.
    if (!isMap(map) || map.items.length < 2) return;
    const items = map.items as Pair<Node>[];
    const index = items.findIndex(({ key }) => String(key) === path.at(-1));
    if (index < 0) return;
    const [pair, next] = items.slice(index);
    // What stands above the first key of a map is the map's.
    const holder = index === 0 && map.commentBefore ? map : pair?.key;
    const [, kept] = /^(.*)\n\n/s.exec(holder?.commentBefore ?? '') ?? [];
    if (index === 0) map.commentBefore = null;
    items.splice(index, 1);
    if (next === undefined) map.comment = kept ?? map.comment ?? null;
    else {
      next.key.spaceBefore = pair?.key.spaceBefore || (index > 0 && next.key.spaceBefore === true);
      next.key.commentBefore = [kept, next.key.commentBefore].filter(Boolean).join('\n\n') || null;
    }
  });
}
