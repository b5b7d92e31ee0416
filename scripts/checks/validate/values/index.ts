import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Finding, ValidationCheck } from '../../../repository/rendering/finding.ts';
import type { Chart } from '../../../repository/rendering/helm.ts';
import type { Repository } from '../../../repository/rendering/repository.ts';
import { type FieldPath, mapIn, readYaml } from '../../../repository/yaml.ts';
import { fieldAt, isCommented, leaves, namedInComment, withoutLine } from './file.ts';
import { findInSchema, type JsonSchema } from './schema.ts';

/** Whether a reader of values.yaml sees all that can be set, and in an overlay what is different there. */
export const values: ValidationCheck = {
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
    ['values.yaml', ...chart.overlays].map((name) => read(repository, `${chart.folder}/${name}`)),
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
async function read(repository: Repository, file: string): Promise<ValuesFile | undefined> {
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
  if (cut !== undefined) await writeFile(path, cut);
}

function finding(file: ValuesFile, rule: string, path: FieldPath, what: string, remedy: string): Finding {
  const line = file.line(path);
  const message = `${path.join('.')} ${what}.`;
  return { rule, file: file.file, ...(line !== undefined && { line }), message, remedy };
}
