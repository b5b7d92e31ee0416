import { diffArrays } from 'diff';
import {
  type Alias,
  type Document,
  isAlias,
  isNode,
  isScalar,
  LineCounter,
  parseAllDocuments,
  parseDocument,
  type Scalar,
} from 'yaml';
import { messageOf, UserError } from '../lib/errors.ts';
import { isRecord } from '../lib/text.ts';

/** A YAML document with the lines of its fields. */
export interface YamlDocument {
  value: unknown;
  /** The first mistake in its syntax. */
  error: { line: number; message: string } | undefined;
  /** The line of a field, or of the innermost one around it that exists. */
  line(path: FieldPath): number | undefined;
  has(path: FieldPath): boolean;
  /** The scalar at a path, with its source text and range. */
  scalar(path: FieldPath): Scalar.Parsed | undefined;
  /** What stands at a path in the text itself, be it an alias, and where its key begins. */
  written(path: FieldPath): { node: Scalar.Parsed | Alias.Parsed; key: number } | undefined;
}

/**
 * Reads YAML 1.1, as kubectl, Helm and Argo CD do, in which `yes`, `0440` and `1_000` are other things than in today's
 * YAML. Never throws.
 */
export function readYaml(text: string): YamlDocument[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, logLevel: 'error', version: '1.1', merge: true });
  return 'empty' in documents ? [] : documents.map((document) => toDocument(document, lines));
}

function toDocument(document: Document.Parsed, lines: LineCounter): YamlDocument {
  const [mistake] = document.errors;
  let error = mistake && {
    line: lines.linePos(mistake.pos[0]).line,
    message: mistake.message.split(/:?\n| at line /)[0] ?? mistake.message,
  };
  let value: unknown;
  try {
    value = error === undefined ? document.toJS() : undefined;
  } catch (cause) {
    // Aliases of aliases, which would grow without end.
    error = { line: 1, message: messageOf(cause) };
  }
  return {
    value,
    error,
    line(path) {
      const { offset } = walk(document, path);
      return offset === undefined ? undefined : lines.linePos(offset).line;
    },
    has: (path) => walk(document, path).depth === path.length,
    scalar(path) {
      const { node, depth } = walk(document, path);
      return depth === path.length && isScalar(node) ? (node as Scalar.Parsed) : undefined;
    },
    written(path) {
      const { node, offset, depth } = walk(document, path);
      const found = depth === path.length && offset !== undefined && (isScalar(node) || isAlias(node));
      return found ? { node: node as Scalar.Parsed | Alias.Parsed, key: offset } : undefined;
    },
  };
}

/** Goes along a path as far as it leads. */
function walk(
  document: Document.Parsed,
  path: FieldPath,
): { node: unknown; offset: number | undefined; depth: number } {
  let node: unknown = document.contents;
  let offset = document.contents?.range?.[0];
  for (const [depth, part] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    const pair = pairOf(node, part);
    if (pair === undefined) return { node, offset, depth };
    offset = pair.offset ?? offset;
    node = pair.value;
  }
  return { node, offset, depth: path.length };
}

function pairOf(node: unknown, part: string | number): { offset: number | undefined; value: unknown } | undefined {
  if (typeof node !== 'object' || node === null || !('items' in node) || !Array.isArray(node.items)) return undefined;
  if (typeof part === 'number') {
    const value: unknown = node.items[part];
    return value === undefined ? undefined : { offset: isNode(value) ? value.range?.[0] : undefined, value };
  }
  const pair = node.items.find((item) => String(item?.key?.value ?? item?.key) === part);
  return pair === undefined ? undefined : { offset: pair.key?.range?.[0], value: pair.value };
}

export type FieldPath = readonly (string | number)[];

/**
 * What a broken manifest holds may have any shape, and saying so is another check's task. These read it as if it had the
 * shape that is wanted, with nothing in it where it has not; the places in lists stay what they are.
 */

/** A map, or an empty one. */
export function mapIn<T extends object>(value: unknown): Partial<T> {
  return isRecord(value) ? (value as Partial<T>) : {};
}

/** The maps of a list. */
export function mapsIn<T extends object>(value: unknown): Partial<T>[] {
  return Array.isArray(value) ? value.map((each) => mapIn<T>(each)) : [];
}

/** The texts of a list. */
export function textsIn(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

/**
 * YAML with something changed in it. Whatever the change is not about stays byte by byte, also where the library would write it
 * in another form. (A single scalar of a values file is replaced by its range: see image-values.ts.)
 * @param file is named in the error
 * @throws `UserError` for what is no YAML
 */
export function editYaml(text: string, file: string, change: (document: Document) => void): string {
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error)
    throw new UserError(`${file} is not valid YAML: ${error.message.split('\n')[0]}`, {
      hint: 'Correct it: npm run validate shows the line.',
      cause: error,
    });
  const written = () => document.toString({ lineWidth: 0, flowCollectionPadding: false });
  const before = written();
  change(document);
  return withChange(text, before, written());
}

/** What turns the lines of `before` into those of `after`, done to a text that says the same as `before` in another form. */
function withChange(text: string, before: string, after: string): string {
  const lineEnd = text.includes('\r\n') ? '\r\n' : '\n';
  const linesOf = (of: string) => of.split(/(?<=\n)/).map((line) => line.replace(/\r?\n$/, ''));
  const own = text.replace(/(?<=.)$(?!\n)/, lineEnd).split(/(?<=\n)/);
  // Where each line of `before` begins and ends in the text; one that is written otherwise there, with those around it.
  const places: { start: number; end: number }[] = [];
  let at = 0;
  const sameWords = (a: string, b: string) => a.replaceAll(/[\s'"]/g, '') === b.replaceAll(/[\s'"]/g, '');
  const asWritten = diffArrays(linesOf(before), linesOf(text), { comparator: sameWords });
  for (const [index, { count, added, removed }] of asWritten.entries()) {
    const next = asWritten[index + 1];
    const end = at + (next?.added ? next.count : 0);
    const oneByOne = !removed || next?.count === count;
    for (let n = 0; n < count && !added; n += 1)
      places.push(oneByOne ? { start: at + n, end: at + n + 1 } : { start: at, end });
    if (!removed) at += count;
  }
  const result: string[] = [];
  let line = 0;
  let copied = 0;
  for (const { count, added, removed, value } of diffArrays(linesOf(before), linesOf(after))) {
    const until = removed ? places[line]?.start : places[line - 1]?.end;
    if (added || removed) result.push(...own.slice(copied, until ?? copied));
    if (added || removed) copied = Math.max(copied, until ?? copied);
    if (added) result.push(...value.map((one) => one + lineEnd));
    else line += count;
    if (removed) copied = places[line - 1]?.end ?? copied;
  }
  return [...result, ...own.slice(copied)].join('');
}
