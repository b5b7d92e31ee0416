import { parseArgs } from 'node:util';
import { UsageError } from '../errors.ts';
import { closest } from '../text.ts';

interface Flag {
  type: 'boolean' | 'seconds' | 'text';
  description: string;
  /** What is to be typed for a text, in one word. */
  value?: string;
  /** npm has a meaning of its own for the name, and may set it without anybody asking us: only typed for us it counts. */
  typedOnly?: true;
  /** A text that may be typed several times: the texts are handed on with commas between them. */
  repeated?: true;
  /** All that a text may name, with commas between the names. */
  choices?: readonly string[];
}

export interface Usage {
  name: string;
  /** One line, for the list of commands. */
  summary: string;
  description: string;
  flags: Record<string, Flag>;
  /** The words that may follow, if any: one of these at most. */
  words?: readonly string[];
  /** What may follow the word, any number of them, by its name on the help page: `uid`. It is handed on as operands. */
  more?: string;
  /** Any number of these words may follow, each once; they are handed on as operands. */
  severalWords?: true;
  /** Or what has to follow, a word each, in this order, by the names of the help page: `service`, `sha`. */
  operands?: readonly string[];
  examples: readonly string[];
}

export interface Parsed {
  flags: Record<string, boolean | number | string | undefined>;
  word: string | undefined;
  /** As many as the usage names, unless help is asked for; or the words, where several may follow. */
  operands: readonly string[];
  help: boolean;
}

/**
 * Reads what was typed behind `npm run NAME --`. Without the dashes npm keeps the flags for itself and hands them on as
 * variables (`npmFlags`): those of ours are honoured. Throws a `UsageError` with the right form.
 */
export function readArguments(
  usage: Usage,
  argv: readonly string[],
  npmFlags: Readonly<Record<string, string>> = {},
): Parsed {
  const options = Object.fromEntries(
    Object.entries(usage.flags).map(([name, { type }]) => [
      name,
      { type: type === 'boolean' ? ('boolean' as const) : ('string' as const) },
    ]),
  );
  const { tokens } = parseArgs({
    args: [...argv],
    options: { ...options, help: { type: 'boolean', short: 'h' } },
    strict: false,
    tokens: true,
  });
  const parsed: Parsed = { flags: fromNpm(usage, npmFlags), word: undefined, operands: [], help: false };
  const words: string[] = [];
  const typed = new Set<string>();
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue;
    if (token.kind === 'positional') {
      if (usage.operands) words.push(token.value);
      else if (usage.more !== undefined && parsed.word !== undefined) words.push(token.value);
      else if (usage.severalWords) words.push(wordOf(usage, token.value, undefined));
      else parsed.word = wordOf(usage, token.value, parsed.word);
    } else if (token.name === 'help' || token.name === 'h') {
      parsed.help = true;
    } else {
      const flag = Object.hasOwn(usage.flags, token.name) ? usage.flags[token.name] : undefined;
      if (!flag) throw unknownFlag(usage, token.rawName);
      const value = parseValue(usage, token.name, flag, token.value);
      const joined = flag.repeated && typed.has(token.name);
      parsed.flags[token.name] = joined ? `${parsed.flags[token.name]},${value}` : value;
      typed.add(token.name);
    }
  }
  if (usage.severalWords || usage.more !== undefined) parsed.operands = [...new Set(words)];
  if (usage.operands && !parsed.help) parsed.operands = operandsOf(usage, usage.operands, words);
  return parsed;
}

/** How a command with operands is called: `npm run promote -- <service> <sha>`. */
export function callOf({ name, operands = [] }: Usage): string {
  return [`npm run ${name} --`, ...operands.map((operand) => `<${operand}>`)].join(' ');
}

function operandsOf(usage: Usage, operands: readonly string[], words: readonly string[]): readonly string[] {
  if (words.length < operands.length) {
    const missing = operands.slice(words.length).map((operand) => `<${operand}>`);
    throw new UsageError(`${usage.name} needs ${missing.join(' and ')}.`, callOf(usage));
  }
  const [more] = words.slice(operands.length);
  if (more !== undefined) throw new UsageError(`${usage.name} does not know what "${more}" is for.`, callOf(usage));
  return words;
}

function fromNpm(usage: Usage, npmFlags: Readonly<Record<string, string>>): Parsed['flags'] {
  // To ignore this one would do what the person only wanted to see.
  if (npmFlags['dry-run'] === 'true' && !Object.hasOwn(usage.flags, 'dry-run')) throw unknownFlag(usage, '--dry-run');
  const flags: Parsed['flags'] = {};
  for (const [name, flag] of Object.entries(usage.flags)) {
    if (flag.typedOnly) continue;
    const value = valueFromNpm(name, npmFlags);
    if (value === undefined || value === 'false' || value === '') continue;
    // npm takes "--timeout 60" apart, and what remains of it is "true".
    if (flag.type !== 'boolean' && value === 'true')
      throw new UsageError(
        `npm kept --${name} for itself.`,
        `Put two dashes before it: npm run ${usage.name} -- ${withValue(name, flag)}`,
      );
    flags[name] = parseValue(usage, name, flag, flag.type === 'boolean' ? undefined : value);
  }
  return flags;
}

/** npm makes of `--no-wait` that `wait` is not set. */
function valueFromNpm(name: string, npmFlags: Readonly<Record<string, string>>): string | undefined {
  const positive = name.startsWith('no-') ? npmFlags[name.slice(3)] : undefined;
  return positive === '' || positive === 'false' ? 'true' : npmFlags[name];
}

function parseValue(usage: Usage, name: string, flag: Flag, value: string | undefined): boolean | number | string {
  if (flag.type === 'boolean') {
    if (value !== undefined) throw new UsageError(`--${name} takes no value.`, `npm run ${usage.name} -- --${name}`);
    return true;
  }
  if (flag.type === 'text') {
    if (!value) throw new UsageError(`--${name} takes a value.`, `npm run ${usage.name} -- ${withValue(name, flag)}`);
    return flag.choices ? namesOf(name, flag.choices, value) : value;
  }
  const seconds = Number(value);
  if (value === undefined || !/^\d+$/.test(value) || seconds < 1) {
    throw new UsageError(`--${name} takes a whole number of seconds.`, `npm run ${usage.name} -- --${name} 300`);
  }
  return seconds;
}

function namesOf(flag: string, choices: readonly string[], value: string): string {
  const names = value.split(',').flatMap((name) => name.trim() || []);
  const unknown = names.find((name) => !choices.includes(name));
  if (unknown !== undefined)
    throw new UsageError(`--${flag} does not know "${unknown}".`, `It knows: ${choices.join(', ')}.`);
  return names.join(',');
}

/** A flag as it is typed: `--timeout <seconds>`. */
export function withValue(name: string, { type, value }: Flag): string {
  return type === 'boolean' ? `--${name}` : `--${name} <${type === 'seconds' ? type : (value ?? type)}>`;
}

function wordOf({ name, words = [] }: Usage, word: string, earlier: string | undefined): string {
  if (words.length === 0) throw new UsageError(`${name} takes flags only, not "${word}".`, `npm run ${name} -- --help`);
  if (earlier !== undefined)
    throw new UsageError(`${name} takes one word, not "${earlier}" and "${word}".`, `npm run ${name} -- ${earlier}`);
  if (!words.includes(word)) throw new UsageError(`${name} does not know "${word}".`, `It knows: ${words.join(', ')}.`);
  return word;
}

function unknownFlag({ name, flags }: Usage, typed: string): UsageError {
  const meant = closest(typed.replace(/^-+/, ''), Object.keys(flags));
  return new UsageError(
    `${name} has no flag ${typed}.`,
    meant ? `Did you mean --${meant}?` : `npm run ${name} -- --help lists them.`,
  );
}

const npmFlag = /^npm_config_(.+)$/;

/** Flags that npm kept for itself, as in `npm run status --json`: it hands them on as variables. */
export function npmFlagsOf(environment: NodeJS.ProcessEnv): Record<string, string> {
  const flags: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    const flag = npmFlag.exec(name)?.[1];
    if (flag !== undefined && value !== undefined) flags[flag.replaceAll('_', '-')] = value;
  }
  // npm has a word of its own for --verbose.
  return flags.loglevel === 'verbose' ? { ...flags, verbose: 'true' } : flags;
}
