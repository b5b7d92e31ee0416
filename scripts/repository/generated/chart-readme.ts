import type { Chart } from '../rendering/helm.ts';
import type { RepositoryFiles } from '../rendering/manifests.ts';
import { understood } from '../text.ts';
import { type FieldPath, mapIn, readYaml } from '../yaml.ts';

/** What is read of a chart: its files in a checkout, or those that are about to be written. */
type Files = Pick<RepositoryFiles, 'text'>;

const begin = '<!-- values: npm run validate -- --fix writes this -->';
const end = '<!-- /values -->';

/** CI writes these with each promotion, and the table would be wrong after it. */
const promoted: Readonly<Record<string, string>> = {
  'image.repository': 'CI promotes it',
  'image.tag': 'CI promotes it',
};

/**
 * A chart's README with the tables of its values in it.
 * @returns undefined for one that has no place for them
 * @throws UserError where values.yaml or the schema can't be read
 */
export async function withValuesTables(files: Files, folder: string, readme: string): Promise<string | undefined> {
  const [before, rest] = readme.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) return undefined;
  const schemaFile = `${folder}/values.schema.json`;
  const [values, schema] = await Promise.all([files.text(`${folder}/values.yaml`), files.text(schemaFile)]);
  return `${before}${begin}\n\n${valuesTables(
    values,
    understood(schemaFile, () => JSON.parse(schema)),
  )}\n\n${end}${after}`;
}

/** The README of a chart, and what it should hold; undefined where it has no place for the tables, or there is none. */
export async function readmeOf(files: Files, { folder }: Chart): Promise<{ now: string; wanted: string | undefined }> {
  const now = await files.text(`${folder}/README.md`).catch(() => '');
  return { now, wanted: await withValuesTables(files, folder, now) };
}

interface Row {
  name: string;
  value: string;
  text: string;
}

interface Schema {
  $ref?: string;
  description?: string;
  type?: string | string[];
  enum?: string[];
  properties?: Record<string, Schema>;
  definitions?: Record<string, Schema>;
}

/** What values.yaml sets, with its comments, and below it what the schema knows besides. */
function valuesTables(text: string, schema: Schema): string {
  const [document] = readYaml(text);
  const values = document?.value;
  const above = (path: FieldPath) => commentAbove(text, document?.line(path));
  const set = rowsOfValues(above, values, []).map(line);
  const more = rowsOfSchema(schema, schema, values, []).map(line);
  return [
    ...['### Set in values.yaml', '', '| value | default | what it is |', '|---|---|---|', ...set, ''],
    ...['### Not set, unless you do', '', '| value | type | what it is |', '|---|---|---|', ...more],
  ].join('\n');
}

function line({ name, value, text }: Row): string {
  return `| \`${name}\` | ${value} | ${text} |`;
}

/** A row for each value that a comment explains, and none for those within it that have no comment. */
function rowsOfValues(above: (path: FieldPath) => string | undefined, values: unknown, path: FieldPath): Row[] {
  return Object.entries(mapIn<Record<string, unknown>>(values)).flatMap(([key, value]) => {
    const at = [...path, key];
    const name = at.join('.');
    const within = rowsOfValues(above, value, at);
    const comment = above(at);
    if (comment === undefined) return within;
    const shown = promoted[name] ?? (within.length > 0 ? '' : `\`${JSON.stringify(value)}\``);
    return [{ name, value: inCell(shown), text: inCell(comment) }, ...within];
  });
}

/** The comment right above a line, from its `# --` on. */
function commentAbove(text: string, line = 0): string | undefined {
  const lines = text.split('\n').slice(0, Math.max(0, line - 1));
  const above = lines.slice(lines.findLastIndex((each) => !/^\s*#/.test(each)) + 1);
  const from = above.findLastIndex((each) => /^\s*# -- \S/.test(each));
  if (from < 0) return undefined;
  const said = above.slice(from).map((each) => each.replace(/^\s*#\s?(-- )?/, ''));
  return said.join(' ').trim();
}

/** A row for each value that the schema describes and values.yaml does not set. */
function rowsOfSchema(schema: Schema, root: Schema, values: unknown, path: FieldPath): Row[] {
  const known = mapIn<Record<string, unknown>>(values);
  return Object.entries(schema.properties ?? {}).flatMap(([key, inner]) => {
    // false: a key that must not be there. Helm itself sets the other two.
    if (typeof inner !== 'object' || (path.length === 0 && ['global', 'common'].includes(key))) return [];
    const resolved = { ...root.definitions?.[inner.$ref?.split('/').at(-1) ?? ''], ...inner };
    const at = [...path, key];
    const isSet = key in known;
    if (isSet || resolved.description === undefined) return rowsOfSchema(resolved, root, known[key], at);
    const type =
      resolved.enum?.join(' or ') ??
      [resolved.type]
        .flat()
        .map((one) => typeNames[one ?? ''] ?? one)
        .join(' or ');
    return [{ name: at.join('.'), value: inCell(type), text: inCell(resolved.description) }];
  });
}

const typeNames: Readonly<Record<string, string>> = {
  array: 'list',
  boolean: 'true or false',
  integer: 'number',
  object: 'map',
  string: 'text',
};

function inCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ');
}
