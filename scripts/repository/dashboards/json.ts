import { parser } from '@lezer/json';
import { messageOf } from '../../lib/errors.ts';
import type { FieldPath } from '../rendering/located.ts';

/** A JSON text that was read, or the first thing that is wrong with it. */
export type Json =
  | { value: unknown; lineOf(path: FieldPath): number; fault?: never }
  | { fault: { line: number; message: string } };

type Node = ReturnType<typeof parser.parse>['topNode'];

/** Reads JSON so that the line of each field can be asked for, from 1. Never throws. */
export function readJson(text: string): Json {
  try {
    const value: unknown = JSON.parse(text);
    let top: Node | undefined;
    return {
      value,
      lineOf(path) {
        top ??= parser.parse(text).topNode;
        return lineAt(text, nodeAt(text, top, path).from);
      },
    };
  } catch (error) {
    // Node's message says what, but only some versions of it say where.
    return {
      fault: { line: lineAt(text, firstError(text)), message: what(messageOf(error)) },
    };
  }
}

/** `Unexpected token ']', ..."a",],\n"b"... is not valid JSON` and its like, without what only repeats the text. */
function what(message: string): string {
  return message.replace(/(, (\.\.\.)?"| in JSON at position).*/s, '');
}

/** The node of the innermost field of the path that exists. */
function nodeAt(text: string, top: Node, path: FieldPath): Node {
  let found = top;
  let value = top.firstChild;
  for (const part of path) {
    const items = value === null ? [] : children(value);
    const item =
      typeof part === 'number'
        ? items.filter(({ name }) => /^[A-Z]/.test(name))[part]
        : items.find((each) => each.name === 'Property' && nameOf(text, each) === part);
    if (item === undefined) break;
    found = item;
    value = item.name === 'Property' ? item.lastChild : item;
  }
  return found;
}

function nameOf(text: string, property: Node): unknown {
  const name = property.firstChild;
  return name === null ? undefined : JSON.parse(text.slice(name.from, name.to));
}

function children(node: Node): Node[] {
  const found: Node[] = [];
  for (let child = node.firstChild; child !== null; child = child.nextSibling) found.push(child);
  return found;
}

function firstError(text: string): number {
  let first = text.length;
  parser.parse(text).iterate({
    enter: ({ type, from }) => {
      if (type.isError) first = Math.min(first, from);
    },
  });
  return first;
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}
