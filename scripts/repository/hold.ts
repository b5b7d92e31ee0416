import { isDeepStrictEqual } from 'node:util';
import { Parser } from 'yaml';
import { readYaml } from './yaml.ts';

/** A note in a values file that keeps promotions off it. */
export interface Hold {
  /** The tag that was rolled back; empty where somebody wrote the note by hand and named none. */
  tag: string;
  /** The whole note, as it stands in the file. */
  note: string;
}

export interface NewHold {
  service: string;
  tag: string;
  by: string;
  at: Date;
}

interface Comment {
  offset: number;
  source: string;
}

const holdPattern = /^#+\s*hold:\s*(\S*)/i;

/** The holds of a values file, from top to bottom. */
export function holdsIn(text: string): Hold[] {
  return notesIn(text).map(({ source }) => ({
    tag: holdPattern.exec(source)?.[1] ?? '',
    note: source,
  }));
}

/** A note as a sentence. */
export function holdSentence({ note }: Hold): string {
  return note
    .replace(holdPattern, '$1')
    .replace(/^#+\s*/, '')
    .trim()
    .replace(/\.?$/, '.');
}

/** The values file with a note above its tag and the comments of that, in place of an earlier one about the same tag. No value is changed. */
export function withHold(text: string, hold: NewHold): string {
  return withNote(text, noteLine(hold));
}

/** The same for a note that another file of the kind has. */
export function withNote(text: string, note: string): string {
  const [{ tag = '' } = {}] = holdsIn(note);
  const bare = withoutNotes(text, ({ source }) => holdPattern.exec(source)?.[1] === tag);
  const document = readYaml(bare)[0];
  const key = document?.written(['image', 'tag'])?.key ?? 0;
  const above = withInserted(bare, Math.max(aboveComments(bare, key), afterMark(bare)), note);
  // A line may begin inside of a text of several lines, where a note would become a part of it.
  const kept =
    notesIn(above).length > notesIn(bare).length && isDeepStrictEqual(readYaml(above)[0]?.value, document?.value);
  return kept ? above : withInserted(bare, afterMark(bare), note);
}

/** The values file without any hold, or without those that have one of these notes. No value is changed. */
export function withoutHolds(text: string, notes?: readonly string[]): string {
  return withoutNotes(text, ({ source }) => notes?.includes(source) ?? true);
}

/** One line, which CI's sed leaves alone: whatever its author is called, none of the two keys that sed looks for is in it. */
function noteLine({ service, tag, by, at }: NewHold): string {
  const when = at.toISOString().slice(0, 16).replace('T', ' ');
  const who = by.replace(/[\s:\p{C}]+/gu, ' ').trim() || 'somebody';
  return `# hold: ${tag} was rolled back by ${who}, ${when} UTC; npm run resume -- ${service} lifts this hold.`;
}

function withInserted(text: string, at: number, note: string): string {
  const indent = /^[ \t]*/.exec(text.slice(at))?.[0] ?? '';
  const end = /\r?\n/.exec(text)?.[0] ?? '\n';
  return `${text.slice(0, at)}${indent}${note}${end}${text.slice(at)}`;
}

/**
 * The start of the line that a key stands in, or of the comments right above it. Were the note next to the tag, Git could
 * take no promotion back, nor put two changes together, without a conflict.
 */
function aboveComments(text: string, key: number): number {
  const startOf = (at: number) => text.lastIndexOf('\n', at - 1) + 1;
  let start = startOf(key);
  while (start > 0 && /^[ \t]*#/.test(text.slice(startOf(start - 1), start))) start = startOf(start - 1);
  return start;
}

/** Where a file's text begins: behind its byte order mark, if it has one. */
function afterMark(text: string): number {
  return text.startsWith('\uFEFF') ? 1 : 0;
}

function withoutNotes(text: string, which: (note: Comment) => boolean): string {
  return notesIn(text)
    .filter(which)
    .reduceRight((rest, { offset, source }) => {
      const before = rest.slice(0, offset);
      const indent = /(^|\n)\uFEFF?([ \t]*)$/.exec(before)?.[2];
      const after = rest.slice(offset + source.length);
      // A note on a line of its own goes with the line; one behind a value goes with the blanks before it.
      return indent === undefined
        ? before.trimEnd() + after
        : before.slice(0, before.length - indent.length) + after.replace(/^\r?\n/, '');
    }, text);
}

function notesIn(text: string): Comment[] {
  return [...new Parser().parse(text)].flatMap(commentsIn).filter(({ source }) => holdPattern.test(source));
}

/** The comments below a token, wherever the parser put them, in the order of the text. */
function commentsIn(token: unknown): Comment[] {
  if (typeof token !== 'object' || token === null) return [];
  if ('type' in token && token.type === 'comment') return [token as unknown as Comment];
  return Object.values(token)
    .flatMap(commentsIn)
    .toSorted((a, b) => a.offset - b.offset);
}
