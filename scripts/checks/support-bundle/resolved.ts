/**
 * A text without its escapes, and where each of its characters stood before. Characters are bytes of UTF-8, so that what
 * addresses, JSON and base64 make of a letter comes to the same.
 */
export interface Resolved {
  text: string;
  starts: readonly number[];
  ends: readonly number[];
}

/** The bytes of a text, a character each. */
export function bytesOf(text: string): string {
  return Buffer.from(text).toString('latin1');
}

/** The text that such bytes are. */
export function textOfBytes(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString();
}

/**
 * Takes escapes out, however often a text was put into an address (%2F, %252F) or a JSON text (\", \\\", \u0026): both what
 * is looked for and where it is looked for are read in this way. Blanks and line breaks are alike, and so is a plus.
 */
export function resolve(bytes: string): Resolved {
  const positions = Array.from(bytes, (_, i) => i);
  const whole = { text: bytes, starts: positions, ends: positions.map((i) => i + 1) };
  const addressed = replace(whole, /%(?:25)*([0-9A-Fa-f]{2})/g, (match) =>
    String.fromCharCode(Number.parseInt(match[1] ?? '', 16)),
  );
  return replace(addressed, /(?:\\+u[0-9A-Fa-f]{4})+|\\+([nrt]?)/g, ([all, letter]) => {
    if (letter !== undefined) return letter === '' ? '' : ' ';
    const units = [...all.matchAll(/u(.{4})/g)].map((unit) => Number.parseInt(unit[1] ?? '', 16));
    return bytesOf(String.fromCharCode(...units));
  });
}

/** With one kind of blank. As long as before. */
export function withPlainBlanks(text: string): string {
  return text.replaceAll(/[+\t\r\n]/g, ' ');
}

function replace(from: Resolved, pattern: RegExp, by: (match: RegExpExecArray) => string): Resolved {
  const [starts, ends, texts]: [number[], number[], string[]] = [[], [], []];
  let at = 0;
  const keepTo = (end: number) => {
    texts.push(from.text.slice(at, end));
    for (; at < end; at += 1) {
      starts.push(from.starts[at] ?? 0);
      ends.push(from.ends[at] ?? 0);
    }
  };
  for (const match of from.text.matchAll(pattern)) {
    keepTo(match.index);
    const text = by(match);
    texts.push(text);
    at += match[0].length;
    for (let i = 0; i < text.length; i += 1) {
      starts.push(from.starts[match.index] ?? 0);
      ends.push(from.ends[at - 1] ?? 0);
    }
  }
  keepTo(from.text.length);
  return { text: texts.join(''), starts, ends };
}
