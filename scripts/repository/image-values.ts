import { parse } from 'yaml';
import { messageOf, UserError } from '../lib/errors.ts';
import { mapIn, readYaml, type YamlDocument } from './yaml.ts';

/** The two values of a values file that a promotion is about. */
export interface ImageValues {
  repository: string;
  tag: string;
}

const keys = ['repository', 'tag'] as const;
/** What YAML takes for this very text without quotes, for an image's name: no blanks, no signs with a meaning. */
const plain = /^[A-Za-z][\w./:-]*[\w]$/;

/**
 * The image that a values file names, as it is written there: a tag that YAML takes for a number is no other tag here.
 * Undefined where it names none, or is no YAML.
 */
export function imageInValues(text: string): ImageValues | undefined {
  const [document] = readYaml(text);
  if (!document || document.error) return undefined;
  const [repository, tag] = keys.map((key) => textAt(document, key));
  return repository && tag ? { repository, tag } : undefined;
}

export function sameImage(one: ImageValues, other: ImageValues): boolean {
  return one.repository === other.repository && one.tag === other.tag;
}

/**
 * The values file with another tag, and another repository if one is given. Nothing but the bytes of the two values is
 * changed, and what YAML reads as the wanted text already, stays. Throws a `UserError` where the text can't be edited
 * so that both versions of YAML, Helm's 1.1 and today's, read what is meant.
 */
export function withImage(text: string, wanted: { tag: string; repository?: string }, file: string): string {
  const edited = keys.reduce((before, key) => {
    const value = wanted[key];
    return value === undefined ? before : replaced(before, key, value, file);
  }, text);
  for (const version of ['1.1', '1.2'] as const) {
    const image = mapIn<Record<string, unknown>>(mapIn<{ image: unknown }>(parseValues(edited, version, file)).image);
    for (const key of keys) {
      const value = wanted[key];
      if (value !== undefined && image[key] !== value) throw notEditable(key, file);
    }
  }
  return edited;
}

function textAt(document: YamlDocument, key: string): string | undefined {
  const value = mapIn<Record<string, unknown>>(mapIn<{ image: unknown }>(document.value).image)[key];
  if (typeof value === 'string') return value;
  return value === undefined || value === null ? undefined : (document.scalar(['image', key])?.source ?? String(value));
}

function replaced(text: string, key: (typeof keys)[number], value: string, file: string): string {
  const [document] = readYaml(text);
  if (document?.error)
    throw invalidValues(`${file} is not valid YAML, in line ${document.error.line}: ${document.error.message}.`);
  const written = document?.written(['image', key]);
  if (!document || !written)
    throw new UserError(`${file} does not state image.${key} in a line of its own, so it can't be edited.`, {
      hint: `State image.${key} in ${file}.`,
    });
  if ((document.value as { image: Record<string, unknown> }).image[key] === value) return text;
  // `!!int "1234567"` would be no text, whatever its quotes say.
  const { tag: type } = written.node as { tag?: string };
  if (type !== undefined && type !== 'tag:yaml.org,2002:str') throw notEditable(key, file);
  const [start, end] = written.node.range;
  const old = text.slice(start, end);
  // A tag of digits is a number without quotes. A name needs none, and keeps the form that it has.
  const quoted = key === 'tag' || /^['"]/.test(old) || !plain.test(value);
  const before = old === '' && !/\s$/.test(text.slice(0, start)) ? ' ' : '';
  // A block of text ends with its line. Behind an empty value a comment may follow at once.
  const after = old === '' ? (text[end] === '#' ? ' ' : '') : (/[\r\n]*$/.exec(old)?.[0] ?? '');
  return `${text.slice(0, start)}${before}${quoted ? JSON.stringify(value) : value}${after}${text.slice(end)}`;
}

function notEditable(key: string, file: string): UserError {
  return new UserError(`image.${key} of ${file} can't be edited where it stands: YAML would read another value.`, {
    hint: `Write it as a plain line, ${key} and value, below image.`,
  });
}

function parseValues(text: string, version: '1.1' | '1.2', file: string): object {
  try {
    return (parse(text, { version, merge: true, logLevel: 'error' }) as object | null) ?? {};
  } catch (cause) {
    throw invalidYaml(file, cause);
  }
}

/** What a parser said of a file, as an error. */
export function invalidYaml(file: string, cause: unknown): UserError {
  return invalidValues(`${file} is not valid YAML: ${messageOf(cause).split('\n')[0]}`, undefined, cause);
}

/** The error about a values file that says no image, or nothing that can be read. */
export function invalidValues(message: string, hint = 'Correct it and commit.', cause?: unknown): UserError {
  return new UserError(message, { id: 'values-invalid', hint, cause });
}
