import { readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { writeWhole } from '../../lib/files.ts';
import { type FieldPath, readYaml } from '../yaml.ts';
import { type Finding, fieldName } from './finding.ts';
import type { Chart } from './helm.ts';
import type { Repository } from './repository.ts';

/** What is read where helm refuses: the files of a folder, or of a commit. */
type Files = Pick<Repository, 'root' | 'text'>;

interface Rendered {
  chart: Pick<Chart, 'name' | 'folder'>;
  /** The values file on top. */
  values: string;
}

/** The finding about a value: with the file and the line that set it. */
type FindingOf = (path: FieldPath, message: string, remedy: string, rule?: string) => Finding;

/** Says where in the values or the templates the reason lies that helm refuses to render. */
export async function locateHelmError(repository: Files, rendered: Rendered, refusal: string): Promise<Finding[]> {
  const { chart, values } = rendered;
  const files = await readValuesFiles(repository, rendered);
  const about: FindingOf = (path, message, remedy, rule = 'chart-values') => {
    // The topmost file that has it, else what is nearest in values.yaml.
    const found = files.find(({ document }) => document.has(path)) ?? files.at(-1);
    return {
      rule,
      file: found?.file ?? `${chart.folder}/values.yaml`,
      line: found?.document.line(path),
      message: path.length === 0 ? message : `${fieldName(path)}: ${message}`,
      remedy,
      renderings: [values],
    };
  };
  const schema = [...refusal.matchAll(/^\s*- at '([^']*)': (.*)$/gm)].filter(
    ([, , what]) => what !== 'validation failed',
  );
  if (schema.length > 0)
    return schema.flatMap(([, pointer = '', what = '']) => fromSchema(about, repository.root, pointer, what));
  // The sentence of a template that calls `fail`. A value that it names leads to the line.
  const sentence = /execution error at \([^)]*\): ([^\n]*)/.exec(refusal)?.[1];
  if (sentence === undefined) return [fromTemplate(rendered, repository.root, refusal)];
  const names = [...sentence.matchAll(/\b[a-z]\w*(?:\.[A-Za-z]\w*)+\b/g)].map(([name]) => name.split('.'));
  const path = names.find((name) => files.some(({ document }) => document.has(name)));
  return [about(path ?? [], sentence, 'Correct the value.')];
}

/** As in `- at '/image/tag': got number, want string`. */
function fromSchema(about: FindingOf, root: string, pointer: string, what: string): Finding[] {
  const path = pointer
    .split('/')
    .slice(1)
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part.replaceAll('~1', '/').replaceAll('~0', '~')));
  const unknown = /^additional properties (.*) not allowed$/.exec(what)?.[1];
  if (unknown !== undefined) {
    return [...unknown.matchAll(/'([^']*)'/g)].map(([, name = '']) =>
      about([...path, name], 'there is no such value.', 'Correct the name, or remove the line.'),
    );
  }
  // A text that YAML takes for something else, as CI writes it: `tag: 1234567`.
  const type = /^got (number|boolean|null), want string$/.exec(what)?.[1];
  if (type === undefined)
    return [about(path, `${what}.`, 'Correct the value: values.schema.json says what it can be.')];
  const message = `YAML reads a ${type} here, and text is wanted.`;
  const made = about(path, message, 'Put the value into quotes.', 'chart-unquoted-text');
  // An empty value is no text that quotes could save.
  return [type === 'null' ? made : { ...made, fix: () => quote(root, made.file, path) }];
}

/** A template that can't be carried out, or whose output is no YAML: the last place that helm names is the innermost. */
function fromTemplate({ chart, values }: Rendered, root: string, refusal: string): Finding {
  const text = refusal.replaceAll(`${root}/`, '');
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

/** Reads values.yaml and the overlay on top of it, the overlay first. A file that can't be read is left out. */
async function readValuesFiles(repository: Files, { chart, values }: Rendered) {
  const files = [...new Set([values, 'values.yaml'])].map((name) => posix.join(chart.folder, name));
  const read = files.map(async (file) => {
    const [document] = readYaml(await repository.text(file).catch(() => ''));
    return document === undefined || document.error ? [] : [{ file, document }];
  });
  return (await Promise.all(read)).flat();
}

/**
 * Puts the very text of an unquoted scalar into quotes. What YAML made of the text can't be turned back into it, but the
 * text itself is still in the file.
 */
export async function quote(root: string, file: string, path: FieldPath): Promise<void> {
  const text = await readFile(join(root, file), 'utf8');
  const scalar = readYaml(text)[0]?.scalar(path);
  const [start, end] = scalar?.range ?? [0, 0];
  if (scalar?.type !== 'PLAIN' || start === end) return;
  writeWhole(join(root, file), `${text.slice(0, start)}"${text.slice(start, end)}"${text.slice(end)}`);
}
