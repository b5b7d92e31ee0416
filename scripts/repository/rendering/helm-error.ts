import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeWhole } from '../../lib/files.ts';
import { type FieldPath, readYaml, type YamlDocument } from '../yaml.ts';
import { type Finding, fieldName } from './finding.ts';
import type { Chart, Rendering } from './helm.ts';
import type { Repository } from './repository.ts';

/** Says where in the values or the templates the reason lies that helm refuses to render. */
export async function locateHelmError(repository: Files, rendering: Rendered, refusal: string): Promise<Finding[]> {
  const { chart, values } = rendering;
  const files = await readValuesFiles(repository, chart, values);
  const context: ErrorContext = { repository, rendering, files };
  const schema = [...refusal.matchAll(/^\s*- at '([^']*)': (.*)$/gm)].filter(
    ([, , what]) => what !== 'validation failed',
  );
  if (schema.length > 0) return schema.flatMap(([, pointer = '', what = '']) => fromSchema(context, pointer, what));
  return [fromFail(context, refusal) ?? fromTemplate(context, refusal)];
}

/** Where the values are read from: a folder, or a commit. */
type Files = Pick<Repository, 'root' | 'text'>;
type Rendered = Pick<Rendering, 'chart' | 'values'>;

interface ErrorContext {
  repository: Files;
  rendering: Rendered;
  files: readonly ValuesFile[];
}

/** As in `- at '/image/tag': got number, want string`. */
function fromSchema(context: ErrorContext, pointer: string, what: string): Finding[] {
  const path = pointer
    .split('/')
    .slice(1)
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part.replaceAll('~1', '/').replaceAll('~0', '~')));
  const unknown = /^additional properties (.*) not allowed$/.exec(what)?.[1];
  if (unknown !== undefined) {
    return [...unknown.matchAll(/'([^']*)'/g)].map(([, name = '']) =>
      finding(context, [...path, name], 'there is no such value.', 'Correct the name, or remove the line.'),
    );
  }
  const number = /^got (number|boolean|null), want string$/.exec(what)?.[1];
  if (number !== undefined) return [unquoted(context, path, number)];
  return [finding(context, path, `${what}.`, 'Correct the value: values.schema.json says what it can be.')];
}

/** A text that YAML takes for something else, as CI writes it: `tag: 1234567`. */
function unquoted(context: ErrorContext, path: FieldPath, type: string): Finding {
  const message = `YAML reads a ${type} here, and text is wanted.`;
  const made = finding(context, path, message, 'Put the value into quotes.', 'chart-unquoted-text');
  // An empty value is no text that quotes could save.
  return type === 'null' ? made : { ...made, fix: () => quote(context.repository.root, made.file, path) };
}

/** The sentence of a template that calls `fail`. A value that it names leads to the line. */
function fromFail(context: ErrorContext, refusal: string): Finding | undefined {
  const sentence = /execution error at \([^)]*\): ([^\n]*)/.exec(refusal)?.[1];
  if (sentence === undefined) return undefined;
  const names = [...sentence.matchAll(/\b[a-z]\w*(?:\.[A-Za-z]\w*)+\b/g)].map(([name]) => name.split('.'));
  const path = names.find((name) => context.files.some(({ document }) => document.has(name)));
  return finding(context, path ?? [], sentence, 'Correct the value.');
}

/** A template that can't be carried out, or whose output is no YAML: the last place that helm names is the innermost. */
function fromTemplate({ rendering: { chart, values }, repository }: ErrorContext, refusal: string): Finding {
  const text = refusal.replaceAll(`${repository.root}/`, '');
  const [, file, line] = [...text.matchAll(/([\w./-]+\/templates\/[\w./-]+\.\w+)(?::(\d+))?/g)].at(-1) ?? [];
  const named = /(helm\/[\w./-]+\.ya?ml|\bvalues\.yaml)/.exec(text)?.[1];
  const at = line ?? /yaml: line (\d+)/.exec(text)?.[1];
  return {
    rule: 'chart-refused',
    file: file === undefined ? fileNamed(chart.folder, named) : templateFile(chart.folder, file),
    ...(at !== undefined && { line: Number(at) }),
    message: `helm does not render ${chart.name}: ${text
      .replace(/^Error: /, '')
      .replaceAll(/\s+/g, ' ')
      .replace(/ Use --debug.*/, '')}`,
    remedy: 'Correct the place that it names.',
    renderings: [values],
  };
}

function fileNamed(folder: string, named: string | undefined): string {
  if (named === undefined) return `${folder}/Chart.yaml`;
  return named.startsWith('helm/') ? named : `${folder}/${named}`;
}

/** `api-node/charts/common/templates/_pod.tpl` is a file of the library chart, which is linked there. */
function templateFile(folder: string, named: string): string {
  const inner = named.replace(/^[^/]+\//, '');
  return inner.startsWith('charts/') ? `helm/${inner.slice('charts/'.length)}` : `${folder}/${inner}`;
}

function finding(
  { rendering, files }: ErrorContext,
  path: FieldPath,
  message: string,
  remedy: string,
  rule = 'chart-values',
): Finding {
  const { chart, values } = rendering;
  return {
    rule,
    ...(placeOf(files, path) ?? { file: `${chart.folder}/values.yaml` }),
    message: path.length === 0 ? message : `${fieldName(path)}: ${message}`,
    remedy,
    renderings: [values],
  };
}

/** One of the values files of a rendering: a place that a value can come from. */
interface ValuesFile {
  file: string;
  document: YamlDocument;
}

/** Reads values.yaml and the overlay on top of it, the overlay first. A file that can't be read is left out. */
async function readValuesFiles(
  repository: Pick<Repository, 'text'>,
  chart: Chart,
  values: string,
): Promise<ValuesFile[]> {
  const names = values === 'values.yaml' ? [values] : [values, 'values.yaml'];
  const read = names.map(async (name) => {
    const file = `${chart.folder}/${name}`;
    const [document] = readYaml(await repository.text(file).catch(() => ''));
    return document === undefined || document.error ? [] : [{ file, document }];
  });
  return (await Promise.all(read)).flat();
}

/** The file and the line that set a value: of the topmost file that has it, else of what is nearest in values.yaml. */
function placeOf(files: readonly ValuesFile[], path: FieldPath): { file: string; line?: number } | undefined {
  const found = files.find(({ document }) => document.has(path)) ?? files.at(-1);
  if (found === undefined) return undefined;
  const line = found.document.line(path);
  return { file: found.file, ...(line !== undefined && { line }) };
}

/**
 * Puts the very text of an unquoted scalar into quotes. What YAML made of the text can't be turned back into it, but the
 * text itself is still in the file.
 */
export async function quote(root: string, file: string, path: FieldPath): Promise<void> {
  const text = await readFile(join(root, file), 'utf8');
  const range = plainScalar(text, path);
  if (range === undefined) return;
  const [start, end] = range;
  writeWhole(join(root, file), `${text.slice(0, start)}"${text.slice(start, end)}"${text.slice(end)}`);
}

function plainScalar(text: string, path: FieldPath): readonly [number, number] | undefined {
  const scalar = readYaml(text)[0]?.scalar(path);
  return scalar?.type === 'PLAIN' && scalar.range[1] > scalar.range[0] ? [scalar.range[0], scalar.range[1]] : undefined;
}
