import { Secret } from '../../lib/secret.ts';

/** A token as somebody gave it, looked at without asking anybody. */
export type Cleaned =
  | { state: 'empty' }
  | { state: 'refused'; message: string; remedy: string }
  /** `cut` says what stood around it and was left out. */
  | { state: 'clean'; token: Secret; cut: string | undefined };

/** What copying leaves around a token: blanks of every kind, line breaks, and quotes. */
const around = [
  { name: 'line breaks', pattern: /^[\r\n]+|[\r\n]+$/g },
  { name: 'blanks', pattern: /^[^\S\r\n]+|[^\S\r\n]+$|^[\u200b-\u200d\u2060\ufeff]+|[\u200b-\u200d\u2060\ufeff]+$/g },
  { name: 'quotes', pattern: /^["'`‘’“”]+|["'`‘’“”]+$/g },
] as const;

/** Cuts off what doesn't belong to the token. What is wrong inside it can't be mended. Never shows any of it. */
export function cleanToken(text: string): Cleaned {
  const cut = new Set<string>();
  let token = text;
  for (let before: string | undefined; before !== token; ) {
    before = token;
    for (const { name, pattern } of around) {
      const rest = token.replace(pattern, '');
      if (rest !== token) cut.add(name);
      token = rest;
    }
  }
  if (token === '') return { state: 'empty' };
  const remedy = "Copy it once more, as a whole, with the button beside it on GitHub's page.";
  if (/\s/.test(token))
    return { state: 'refused', message: 'There is a blank or a line break inside the token.', remedy };
  if (!/^\w+$/.test(token))
    return { state: 'refused', message: 'The token has characters in it that no token of GitHub has.', remedy };
  const names = around.map(({ name }) => name).filter((name) => cut.has(name));
  return { state: 'clean', token: new Secret(token), cut: names.length === 0 ? undefined : names.join(' and ') };
}
