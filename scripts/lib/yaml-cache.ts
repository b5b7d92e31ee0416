import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { isDeepStrictEqual } from 'node:util';
import { parseDocument } from 'yaml';
import { writeWhole } from './files.ts';

/** Characters that are kept at most, of which the texts of this repository take a twentieth. */
const maxCharacters = 4_000_000;

interface Cache {
  file: string;
  /** JSON by what it was parsed from, the one that was used last first. */
  entries: Map<string, string>;
  used: Map<string, string>;
  /** Makes the key of a text. Another version of the library may read the same text in another way. */
  key(text: string): string;
  grown: boolean;
}

let cacheFile: string | undefined;
let cache: Cache | undefined;

/**
 * Has what texts were parsed to kept in a file from this process to the next, until it ends: nothing costs a command as much
 * as parsing the same manifests again. Nothing that is kept can be out of date, since it is known by the whole text. Where
 * the file can't be read or written, all is parsed.
 */
export function cacheParsed(file: string): void {
  cacheFile = file;
}

/** Read when something is parsed first: many commands parse nothing. */
function openCache(file: string): Cache {
  const { version } = createRequire(import.meta.url)('yaml/package.json') as { version: string };
  const key = (text: string) => createHash('sha256').update(`${version}\n${text}`).digest('base64');
  const store: Cache = { file, entries: readEntries(file), used: new Map(), key, grown: false };
  process.once('exit', () => writeEntries(store));
  return store;
}

/**
 * What a text says as kubectl reads it, in YAML 1.1: in today's YAML the mode 0440 would be the number 440, which is the mode
 * 0670. Each call returns a value of its own. Throws `YAMLParseError` for broken YAML.
 */
export function parseManifest(text: string): unknown {
  if (cacheFile !== undefined) cache ??= openCache(cacheFile);
  const key = cache?.key(text) ?? '';
  const known = cache?.entries.get(key);
  if (known !== undefined) {
    cache?.used.set(key, known);
    return JSON.parse(known);
  }
  const document = parseDocument(text, { version: '1.1' });
  const [error] = document.errors;
  if (error) throw error;
  const value = document.toJS() as unknown;
  if (cache) cacheValue(cache, key, value);
  return value;
}

function cacheValue(store: Cache, key: string, value: unknown): void {
  const json = JSON.stringify(value);
  // YAML has values that JSON has not, such as times.
  if (json === undefined || !isDeepStrictEqual(JSON.parse(json), value)) return;
  store.entries.set(key, json);
  store.used.set(key, json);
  store.grown = true;
}

function readEntries(file: string): Map<string, string> {
  try {
    return new Map(JSON.parse(readFileSync(file, 'utf8')) as [string, string][]);
  } catch {
    return new Map();
  }
}

function writeEntries({ file, entries, used, grown }: Cache): void {
  if (!grown) return;
  let left = maxCharacters;
  const fitting = [...new Map([...used, ...entries])].filter(([key, json]) => {
    left -= key.length + json.length;
    return left >= 0;
  });
  try {
    writeWhole(file, JSON.stringify(fitting));
  } catch {
    // The next command parses as this one did.
  }
}
