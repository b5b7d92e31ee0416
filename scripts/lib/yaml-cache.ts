import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { writeWhole } from './files.ts';

/** Characters that are kept at most; the texts of this repository take a twentieth. */
const maxCharacters = 4_000_000;

let cacheFile: string | undefined;
/** JSON by the hash of the YAML that it was parsed from. What was used last is at the end. */
let cache: Map<string, string> | undefined;

/**
 * Keeps what texts were parsed to in a file, for the next process: nothing costs a command as much as parsing the same
 * manifests again. Nothing in it can be out of date, since the key is the hash of the whole text. Where the file can't be
 * read or written, every text is parsed.
 * @param file belongs to one version of `yaml`: another one may read the same text in another way.
 */
export function cacheParsed(file: string): void {
  cacheFile = file;
}

/**
 * Parses a text of one document. Like `parseManifests` otherwise.
 * @throws YAMLParseError for broken YAML, and an Error for more than one document.
 */
export function parseManifest(text: string): unknown {
  const [value, ...others] = parseManifests(text);
  if (others.length > 0) throw new Error('it has more than one document');
  return value ?? null;
}

/**
 * Parses a text as kubectl does, by YAML 1.1: in today's YAML the mode 0440 would be the number 440, which is the mode 0670.
 * @returns a value for each of its documents, which the caller may change.
 * @throws YAMLParseError for broken YAML, and a ReferenceError for aliases that would grow without end.
 */
export function parseManifests(text: string): unknown[] {
  cache ??= openCache();
  const key = createHash('sha256').update(text).digest('base64');
  const known = cache.get(key);
  if (known !== undefined) {
    cache.delete(key);
    cache.set(key, known);
    return JSON.parse(known);
  }
  const documents = parseAllDocuments(text, { version: '1.1', logLevel: 'error' });
  const read = 'empty' in documents ? [] : documents;
  const [error] = read.flatMap(({ errors }) => errors);
  if (error) throw error;
  const value = read.map((document) => document.toJS() as unknown);
  const json = JSON.stringify(value);
  // YAML has values that JSON has not, such as times.
  if (json !== undefined && isDeepStrictEqual(JSON.parse(json), value)) cache.set(key, json);
  return value;
}

/** Read when something is parsed first: many commands parse nothing. */
function openCache(): Map<string, string> {
  if (cacheFile === undefined) return new Map();
  const file = cacheFile;
  let before = 0;
  process.once('exit', () => {
    if (cache && cache.size > before) writeCache(file, [...cache]);
  });
  try {
    const entries = new Map(JSON.parse(readFileSync(file, 'utf8')) as [string, string][]);
    before = entries.size;
    return entries;
  } catch {
    return new Map();
  }
}

function writeCache(file: string, entries: [string, string][]): void {
  let left = maxCharacters;
  const fitting = entries.reverse().filter(([key, json]) => {
    left -= key.length + json.length;
    return left >= 0;
  });
  try {
    writeWhole(file, JSON.stringify(fitting.reverse()));
  } catch {
    // The next command parses as this one did.
  }
}
