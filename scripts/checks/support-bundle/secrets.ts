import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { territoryOf } from '../../cluster/territory.ts';
import type { Context } from '../../images/context.ts';
import { tokenSources } from '../../images/credentials/token-sources.ts';
import { ApiError, listIn, Unreachable } from '../../kubernetes/api/api.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { UserError } from '../../lib/errors.ts';
import { secretPatterns } from '../../lib/secret.ts';
import { namespaceOf, namespacesOf } from '../../repository/applications.ts';
import { readServiceApplications } from '../../repository/registrations.ts';
import { bytesOf, resolve, textOfBytes, withPlainBlanks } from './resolved.ts';
import { type SecretValue, secretValues } from './secret-values.ts';

interface SecretObject extends KubeObject {
  data?: Record<string, string>;
}

/** Every secret that could have found its way into a text: the tokens of this machine, and all that the cluster keeps as one. */
export async function collectSecrets(context: Context, reachable: boolean): Promise<SecretValue[]> {
  const { tokens } = context.config;
  const { exec } = context;
  const sources = tokenSources({ ...tokens, exec });
  const found = await Promise.all(sources.map(async (source) => (await source.find())?.trim()));
  return [
    ...found.flatMap((token) => (token === undefined ? [] : [{ text: token }])),
    ...(await inKubeconfig(context)),
    ...(reachable ? await clusterSecrets(context) : []),
  ];
}

/** The keys and tokens by which the cluster knows us. */
async function inKubeconfig({ kubeconfig }: Context): Promise<SecretValue[]> {
  return existsSync(kubeconfig) ? secretValues(await readFile(kubeconfig), 'kubeconfig') : [];
}

async function clusterSecrets(context: Context): Promise<SecretValue[]> {
  try {
    const { namespaces } = await scopeOf(context);
    const api = context.api();
    // What others keep secret elsewhere is not told, and not even read.
    const secrets = namespaces
      ? await listIn<SecretObject>(api, 'v1', 'Secret', namespaces)
      : await api.list<SecretObject>('v1', 'Secret');
    return secrets.flatMap(({ data = {} }) =>
      Object.entries(data).flatMap(([key, value]) => secretValues(Buffer.from(value, 'base64'), key)),
    );
  } catch (error) {
    if (!(error instanceof ApiError) && !(error instanceof Unreachable)) throw error;
    // Without knowing what must not be shown, nothing of the cluster is.
    throw new UserError(`The cluster's Secrets can't be asked for, which have to be left out: ${error.message}`, {
      hint: 'npm run support-bundle -- --without-cluster leaves out all that comes from the cluster.',
      cause: error,
    });
  }
}

/** What of a cluster may be told to others. */
interface BundleScope {
  /** Whether an object concerns the platform, or the service that it is named after. */
  concerns(object: Pick<KubeObject, 'metadata'>, name?: string): boolean;
  /** The namespaces that have something of the platform in them; undefined for all. */
  namespaces: readonly string[] | undefined;
}

/** All of a cluster of kind; of one that others use as well, what is the platform's alone. */
export async function scopeOf(context: Context): Promise<BundleScope> {
  if (context.target === undefined) return { concerns: () => true, namespaces: undefined };
  const [territory, applications] = await Promise.all([territoryOf(context), readServiceApplications(context)]);
  const isOf = (name: string, namespace: string) =>
    applications.some(
      (one) =>
        namespaceOf(one) === namespace && (name === one.metadata.name || name.startsWith(`${one.metadata.name}-`)),
    );
  return {
    concerns: ({ metadata: { namespace = '', name } }, about = name) =>
      territory.namespaces.has(namespace) || isOf(about, namespace),
    namespaces: [...new Set([...namespacesOf(applications), ...territory.namespaces])],
  };
}

/** Takes secrets out of a text. */
interface Redactor {
  redact(text: string): string;
  /** Whether anything of a secret is still in a text, in whatever form. */
  shows(text: string): boolean;
}

type Span = readonly [from: number, to: number];

const redaction = '[redacted]';
/** Below this many characters a secret is a word that may be a part of many others: only the whole word is taken out. */
const shortest = 8;
/** So many characters of a longer one in a row are taken out, since much is shown cut off; of a sentence, more. */
const telling = { word: 12, sentence: 16 };
/** What reports consist of. Where one is a secret, it is taken out behind the name of one. */
const ordinary =
  /^(?:..?|\d{3}|true|false|null|none|yes|off|admin|root|user|test|dev|prod|info|debug|warn|warning|error|default)$/i;
/** base64 of base64 of base64. */
const deepest = 3;

const begin = '-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----';
const end = '-----END (?:[A-Z]+ )*PRIVATE KEY-----';
const body = String.raw`(?:[A-Za-z0-9+/=]|\s|\\+[nr])*`;
/**
 * Of a key that was cut off, what is there. The limits (120 lines are a key of 8192 bits) keep a stray marker from taking
 * more, and the search from starting over at each character of a long text.
 */
const privateKeys = new RegExp(
  `${begin}(?:[\\s\\S]{0,20000}?${end}|${body})|(?<![A-Za-z0-9+/=])(?:[A-Za-z0-9+/=]{1,76}(?:\\s|\\\\+[nr])+){0,120}${end}`,
  'g',
);

/**
 * Knows secrets by their values: as they are, cut off, in an address, in JSON, and in base64, together with whatever stands
 * around them there; and others by what their makers gave them to be known by.
 */
export function createRedactor(secrets: Iterable<SecretValue>): Redactor {
  const find = finder([...secrets]);
  const known = secretPatterns.map(([, pattern]) => new RegExp(pattern.source, 'g'));
  return {
    redact(text) {
      const bytes = bytesOf(text.replaceAll(privateKeys, redaction));
      let at = 0;
      let left = '';
      for (const [from, to] of merged(find(bytes, 0))) {
        left += `${bytes.slice(at, from)}${redaction}`;
        at = to;
      }
      return known.reduce((rest, pattern) => rest.replaceAll(pattern, redaction), textOfBytes(left + bytes.slice(at)));
    },
    shows: (text) => find(bytesOf(text), 0).length > 0 || secretPatterns.some(([, pattern]) => pattern.test(text)),
  };
}

/** Where in a text something of a secret is. */
function finder(secrets: readonly SecretValue[]): (bytes: string, depth: number) => Span[] {
  const values = secrets
    .map(({ text, key, whole }) => ({ key, whole, blank: /\s/.test(text.trim()), text: comparable(text.trim()) }))
    .filter(({ text }) => text !== '');
  const size = ({ text, whole, blank }: (typeof values)[number]) =>
    whole ? text.length : Math.min(text.length, blank ? telling.sentence : telling.word);
  const long = values.filter(({ text }) => text.length >= shortest);
  const short = values.filter(({ text }) => text.length < shortest);
  const wholes = [...new Set(long.filter((value) => size(value) === value.text.length).map(({ text }) => text))];
  const pieces = Object.values(telling).map(
    (length) => [length, [...new Set(long.filter((value) => size(value) === length).map(({ text }) => text))]] as const,
  );
  const patterns = patternsOf(short);

  const direct = (text: string): Span[] => [
    ...wholes.flatMap((whole) => spansOf(text, whole)),
    ...pieces.flatMap(([length, texts]) => pieceSpans(text, length, texts)),
    ...patterns.flatMap((pattern) =>
      [...text.matchAll(pattern)].map(({ 0: { length }, index }) => [index, index + length] as const),
    ),
  ];
  return function find(bytes, depth): Span[] {
    const { text, starts, ends } = resolve(bytes);
    const found = direct(withPlainBlanks(text));
    if (depth < deepest) found.push(...encodedSpans(text, (decoded) => find(decoded, depth + 1)));
    return found.map(([from, to]) => [starts[from] ?? 0, ends[to - 1] ?? 0]);
  };
}

function comparable(text: string): string {
  return withPlainBlanks(resolve(bytesOf(text)).text);
}

function spansOf(text: string, part: string): Span[] {
  const spans: Span[] = [];
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + 1)) spans.push([at, at + part.length]);
  return spans;
}

/** Where `length` characters in a row are also in one of the secrets. What is kept is as large as the text, not as these. */
function pieceSpans(text: string, length: number, secrets: readonly string[]): Span[] {
  const there = new Set<string>();
  for (let at = 0; at + length <= text.length; at += 1) there.add(text.slice(at, at + length));
  const shown = new Set<string>();
  for (const secret of secrets)
    for (let at = 0; at + length <= secret.length; at += 1) {
      const piece = secret.slice(at, at + length);
      if (there.has(piece)) shown.add(piece);
    }
  const spans: Span[] = [];
  if (shown.size === 0) return spans;
  for (let at = 0; at + length <= text.length; at += 1)
    if (shown.has(text.slice(at, at + length))) spans.push([at, at + length]);
  return spans;
}

/** Short secrets as whole words; those that are ordinary words, behind their own name or that of a secret. */
function patternsOf(short: readonly { text: string; key: string | undefined }[]): RegExp[] {
  const words = short.filter(({ text }) => !ordinary.test(text)).map(({ text }) => escaped(text));
  const named = short.filter(({ text }) => ordinary.test(text));
  const anyName = String.raw`[\w-]{0,40}(?:passw(?:or)?d|passphrase|pwd|pin|secret|token|credential|api[_-]?key)[\w-]{0,40}`;
  return [
    ...(words.length === 0 ? [] : [new RegExp(`(?<![\\w-])(?:${[...new Set(words)].join('|')})(?![\\w-])`, 'g')]),
    ...named.map(({ text, key }) => {
      const name = key === undefined ? anyName : `${escaped(key)}|${anyName}`;
      return new RegExp(`(?<=(?<![\\w-])(?:${name})["']? *[=:] *["']?)${escaped(text)}(?![\\w-])`, 'gi');
    }),
  ];
}

/** Runs of base64 in which there is a secret, as a whole: what stands around it there tells of it. */
function encodedSpans(text: string, find: (decoded: string) => Span[]): Span[] {
  const parts: { span: Span; at: number }[] = [];
  let decoded = '';
  // Cut off at its beginning, it may go on from each of four places.
  for (const { 0: run, index } of text.matchAll(/[A-Za-z0-9+/_-]{4,}={0,2}/g))
    for (let skip = 0; skip < (run.length < 16 ? 1 : 4); skip += 1) {
      parts.push({ span: [index, index + run.length], at: decoded.length });
      decoded += `${Buffer.from(run.slice(skip), 'base64').toString('latin1')}\n`;
    }
  const hits = decoded === '' ? [] : merged(find(decoded));
  let next = 0;
  return hits.map(([from]) => {
    while ((parts[next + 1]?.at ?? Number.POSITIVE_INFINITY) <= from) next += 1;
    return parts[next]?.span ?? [0, 0];
  });
}

/** In order, and without those that overlap or touch. */
function merged(spans: readonly Span[]): Span[] {
  const result: [number, number][] = [];
  for (const [from, to] of spans.toSorted((one, other) => one[0] - other[0])) {
    const last = result.at(-1);
    if (last && from <= last[1]) last[1] = Math.max(last[1], to);
    else result.push([from, to]);
  }
  return result;
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
