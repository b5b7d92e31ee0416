import { isDeepStrictEqual } from 'node:util';
import { type Document, isMap, isSeq, parse, parseDocument, type Scalar, type YAMLSeq } from 'yaml';
import { toReadableYaml } from '../../kubernetes/objects.ts';

/** An entry of one of the lists of a kubeconfig: the rest of it depends on the list. */
export interface KubeconfigEntry {
  name: string;
  [field: string]: unknown;
}

export type ListName = 'clusters' | 'contexts' | 'users';
export const listNames: readonly ListName[] = ['clusters', 'contexts', 'users'];

export type Kubeconfig = { [L in ListName]?: KubeconfigEntry[] | null } & {
  'current-context'?: string;
  [field: string]: unknown;
};

/**
 * The text of a kubeconfig, edited in place: what is not asked for keeps its bytes, with comments, order and quotes. Each
 * edit is held against what a parser makes of the text before and after, and throws where anything else would differ.
 */
export interface KubeconfigText {
  text: string;
  value: Kubeconfig;
}

/** Reads a kubeconfig; an empty one is an object without fields. Throws where it is none. */
export function readKubeconfigText(text: string): KubeconfigText {
  const value: unknown = parse(text) ?? {};
  if (typeof value !== 'object' || Array.isArray(value)) throw new Error('it is no kubeconfig');
  return { text, value: value as Kubeconfig };
}

/** Puts an entry first into a list. */
export function addEntry(before: KubeconfigText, list: ListName, entry: KubeconfigEntry): KubeconfigText {
  const value = { ...before.value, [list]: [entry, ...(before.value[list] ?? [])] };
  return verified(withEntry(before, list, entry), value);
}

/** Takes the entry of that name out of a list, where it is there. */
export function removeEntry(before: KubeconfigText, list: ListName, name: string): KubeconfigText {
  const entries = before.value[list] ?? [];
  const index = entries.findIndex((entry) => entry.name === name);
  if (index === -1) return before;
  const value = { ...before.value, [list]: entries.toSpliced(index, 1) };
  return verified(withoutEntry(before.text, sequence(parseText(before.text), list), index), value);
}

/** Names the context that kubectl uses where it is told none. */
export function setCurrentContext(before: KubeconfigText, name: string): KubeconfigText {
  const node = parseText(before.text).get('current-context', true) as Scalar | undefined;
  const plain = parse(name) === name && (node?.type ?? 'PLAIN') === 'PLAIN';
  const quoted = plain ? name : JSON.stringify(name);
  const text = node?.range
    ? splice(before.text, node.range[0], node.range[1], quoted)
    : `${withLineEnd(before.text)}current-context: ${quoted}\n`;
  return verified(text, { ...before.value, 'current-context': name });
}

function verified(text: string, value: Kubeconfig): KubeconfigText {
  if (!isDeepStrictEqual(parse(text), value)) throw new Error('it is written in a way that can not be edited in place');
  return { text, value };
}

function parseText(text: string): Document.Parsed {
  return parseDocument(text, { keepSourceTokens: true });
}

function sequence(document: Document.Parsed, list: ListName): YAMLSeq | undefined {
  const node = document.get(list, true);
  return isSeq(node) ? node : undefined;
}

function withEntry({ text, value }: KubeconfigText, list: ListName, entry: KubeconfigEntry): string {
  const document = parseText(text);
  const seq = sequence(document, list);
  const block = toReadableYaml([entry]);
  if (seq?.range && seq.items.length > 0) {
    const [start] = seq.range;
    if (seq.flow) return splice(text, start + 1, start + 1, `${JSON.stringify(entry)}, `);
    const line = text.lastIndexOf('\n', start - 1) + 1;
    return splice(text, line, line, block.replaceAll(/^(?=.)/gm, text.slice(line, start)));
  }
  if (!(list in value)) return `${withLineEnd(text)}${list}:\n${block}`;
  const { range } = document.get(list, true) as { range?: [number, number, number] };
  if (!range) throw new Error(`its ${list} can not be edited in place`);
  if (isMap(document.contents) && document.contents.flow)
    return splice(text, range[0], range[1], `[${JSON.stringify(entry)}]`);
  const key = text.lastIndexOf(':', range[0]) + 1;
  return splice(text, key, range[1], `\n${block.trimEnd()}`);
}

function withoutEntry(text: string, seq: YAMLSeq | undefined, index: number): string {
  const items = seq?.items as { range: [number, number, number] }[] | undefined;
  const item = items?.[index];
  if (!seq?.range || !items || !item) throw new Error('it is written in a way that can not be edited in place');
  if (items.length === 1) {
    const key = text.lastIndexOf(':', seq.range[0]) + 1;
    return seq.flow ? splice(text, seq.range[0], seq.range[1], '[]') : splice(text, key, endOfItem(text, item), ' []');
  }
  const next = items[index + 1];
  if (seq.flow) {
    const before = items[index - 1];
    const comma = next && /^\s*, ?/.exec(text.slice(item.range[1]))?.[0];
    return comma
      ? splice(text, item.range[0], item.range[1] + comma.length, '')
      : splice(text, before?.range[1] ?? item.range[0], item.range[1], '');
  }
  const end = endOfItem(text, item);
  return splice(text, startOfItem(text, seq, index), text[end] === '\n' ? end + 1 : end, '');
}

/** Where the line of an item's dash begins. */
function startOfItem(text: string, seq: YAMLSeq, index: number): number {
  const token = seq.srcToken as { items?: { start: { type: string; offset: number }[] }[] } | undefined;
  const dash = token?.items?.[index]?.start.find(({ type }) => type === 'seq-item-ind');
  if (!dash) throw new Error('it is written in a way that can not be edited in place');
  return text.lastIndexOf('\n', dash.offset) + 1;
}

/** Behind the last character of an item's lines; what a parser counts in behind that, as blank lines, is not the item's. */
function endOfItem(text: string, { range }: { range: [number, number, number] }): number {
  const value = text.slice(range[0], range[1]).trimEnd();
  const end = range[0] + value.length;
  const lineEnd = text.indexOf('\n', end);
  return lineEnd === -1 ? text.length : lineEnd;
}

function splice(text: string, start: number, end: number, by: string): string {
  return text.slice(0, start) + by + text.slice(end);
}

function withLineEnd(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}
