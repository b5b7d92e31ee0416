import { secretPatterns } from '../validation/policy/secret-text.ts';

/** Takes secrets out of a text. */
export interface Redactor {
  redact(text: string): string;
  /** Whether anything of a secret is still in a text, in whatever form. */
  shows(text: string): boolean;
}

const mark = '[redacted]';
/** Below this many characters a secret is a word that stands in many places; none of ours is that short. */
const shortest = 8;
/** Of a long one, as a certificate's key, the beginning is looked for: who shows it shows that. */
const longest = 120;
/** Of what is encoded so many characters are looked for, since it is often shown cut off; what follows them goes with them. */
const telling = 30;
const base64Around = '[A-Za-z0-9+/=_-]*';

/**
 * Knows secrets by their values, as they are, in an address, in JSON, and encoded as base64 once or twice together with
 * whatever stands around them; and others by what their makers gave them to be known by.
 */
export function createRedactor(secrets: Iterable<string>): Redactor {
  const values = [...new Set([...secrets].flatMap((secret) => [secret, secret.trim()]))]
    .filter((secret) => secret.length >= shortest)
    .map((secret) => secret.slice(0, longest));
  const plain = values.flatMap((value) => [value, encodeURIComponent(value), JSON.stringify(value).slice(1, -1)]);
  const once = values.map((value) => value.slice(0, telling)).flatMap(encodedMiddles);
  const encoded = [...once, ...once.flatMap(encodedMiddles)].filter((middle) => middle.length >= shortest);
  // The longest first: one may be a part of another.
  const byLength = (one: string, other: string) => other.length - one.length;
  const [plainFirst, encodedFirst] = [[...new Set(plain)].sort(byLength), [...new Set(encoded)].sort(byLength)];
  const known = secretPatterns.map(([, pattern]) => new RegExp(pattern.source, 'g'));
  const keys = /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----[\s\S]*?(?:-----END (?:[A-Z]+ )*PRIVATE KEY-----|$)/g;
  return {
    redact(text) {
      let redacted = text.replace(keys, mark);
      for (const needle of encodedFirst)
        if (redacted.includes(needle))
          redacted = redacted.replaceAll(new RegExp(`${base64Around}${escaped(needle)}${base64Around}`, 'g'), mark);
      for (const needle of plainFirst) redacted = redacted.replaceAll(needle, mark);
      return known.reduce((left, pattern) => left.replaceAll(pattern, mark), redacted);
    },
    shows: (text) =>
      [...plainFirst, ...encodedFirst].some((needle) => text.includes(needle)) ||
      secretPatterns.some(([, pattern]) => pattern.test(text)),
  };
}

/** What a text looks like inside of base64, behind none, one or two other characters: all but what its neighbours change. */
function encodedMiddles(text: string): string[] {
  const { length } = Buffer.from(text);
  return ['', 'x', 'xx'].map((before) => {
    const whole = Buffer.from(before + text).toString('base64');
    return whole.slice(before === '' ? 0 : 4, Math.floor((before.length + length) / 3) * 4);
  });
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
