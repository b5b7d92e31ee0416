import type { Finding } from './finding.ts';
import { type FieldPath, fieldName } from './located.ts';
import type { Rendering } from './rendering.ts';
import type { Repository } from './repository.ts';
import { placeOf, quote, readValues, type ValuesFile } from './values-files.ts';

/** Says where in the values or the templates the reason lies that helm refuses to render. */
export async function explainRefusal(repository: Files, rendering: Rendered, refusal: string): Promise<Finding[]> {
  const { chart, values } = rendering;
  const files = await readValues(repository, chart, values);
  const context: Context = { repository, rendering, files };
  const schema = [...refusal.matchAll(/^\s*- at '([^']*)': (.*)$/gm)].filter(
    ([, , what]) => what !== 'validation failed',
  );
  if (schema.length > 0) return schema.flatMap(([, pointer = '', what = '']) => fromSchema(context, pointer, what));
  return [fromFail(context, refusal) ?? fromTemplate(context, refusal)];
}

/** Where the values are read from: a folder, or a commit. */
type Files = Pick<Repository, 'root' | 'text'>;
type Rendered = Pick<Rendering, 'chart' | 'values'>;

interface Context {
  repository: Files;
  rendering: Rendered;
  files: readonly ValuesFile[];
}

/** As in `- at '/image/tag': got number, want string`. */
function fromSchema(context: Context, pointer: string, what: string): Finding[] {
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
function unquoted(context: Context, path: FieldPath, type: string): Finding {
  const message = `YAML reads a ${type} here, and text is wanted.`;
  const made = finding(context, path, message, 'Put the value into quotes.', 'chart-unquoted-text');
  // An empty value is no text that quotes could save.
  return type === 'null' ? made : { ...made, fix: () => quote(context.repository.root, made.file, path) };
}

/** The sentence of a template that calls `fail`. A value that it names leads to the line. */
function fromFail(context: Context, refusal: string): Finding | undefined {
  const sentence = /execution error at \([^)]*\): ([^\n]*)/.exec(refusal)?.[1];
  if (sentence === undefined) return undefined;
  const names = [...sentence.matchAll(/\b[a-z]\w*(?:\.[A-Za-z]\w*)+\b/g)].map(([name]) => name.split('.'));
  const path = names.find((name) => context.files.some(({ document }) => document.has(name)));
  return finding(context, path ?? [], sentence, 'Correct the value.');
}

/** A template that can't be carried out, or whose output is no YAML: the last place that helm names is the innermost. */
function fromTemplate({ rendering: { chart, values }, repository }: Context, refusal: string): Finding {
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
  { rendering, files }: Context,
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
