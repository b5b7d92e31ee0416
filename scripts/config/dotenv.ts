import { parse } from 'dotenv';
import { UsageError } from '../lib/errors.ts';
import { closest } from '../lib/text.ts';
import { settingNames } from './settings.ts';

const assignment = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)$/;

/**
 * The settings of a `.env` file. dotenv skips what it can't read, so each line is looked at first: a typing mistake
 * must not silently become a default. Throws a `UsageError` that names the line, never its content, which may be a token.
 */
export function parseDotenv(text: string): Record<string, string> {
  const seen = new Map<string, number>();
  for (const [index, line] of text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .entries()) {
    if (/^\s*(#.*)?$/.test(line)) continue;
    const [, name, value = ''] = line.match(assignment) ?? [];
    const where = `.env, line ${index + 1}`;
    if (name === undefined)
      throw new UsageError(`${where} is not of the form NAME=value.`, {
        id: 'setting-wrong',
        hint: 'Correct the line, or start it with # to make it a comment.',
      });
    if (/^\s*(["'`])(?!.*\1\s*(#.*)?$)/.test(value))
      throw new UsageError(`${where}: the quote that ${name} starts with is not closed.`, {
        id: 'setting-wrong',
        hint: 'Close the quote on the same line.',
      });
    if (!(settingNames as string[]).includes(name)) {
      const meant = closest(name, settingNames);
      throw new UsageError(`${where}: there is no setting ${name}.`, {
        id: 'setting-wrong',
        hint: meant ? `Did you mean ${meant}?` : '.env.example lists every setting.',
      });
    }
    const earlier = seen.get(name);
    if (earlier !== undefined)
      throw new UsageError(`${where}: ${name} is already set on line ${earlier}.`, {
        id: 'setting-wrong',
        hint: 'Keep one of the two lines.',
      });
    seen.set(name, index + 1);
  }
  return parse(text);
}
