import {
  type Alias,
  type Document,
  isAlias,
  isNode,
  isScalar,
  LineCounter,
  parseAllDocuments,
  type Scalar,
} from 'yaml';

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
  const [error] = document.errors;
  return {
    value: error === undefined ? document.toJS() : undefined,
    error: error && {
      line: lines.linePos(error.pos[0]).line,
      message: error.message.split(/:?\n| at line /)[0] ?? error.message,
    },
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
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Partial<T>) : {};
}

/** The maps of a list. */
export function mapsIn<T extends object>(value: unknown): Partial<T>[] {
  return Array.isArray(value) ? value.map((each) => mapIn<T>(each)) : [];
}

/** The texts of a list. */
export function textsIn(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
