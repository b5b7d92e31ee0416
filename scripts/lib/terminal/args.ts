import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { UsageError } from '../errors.ts';

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

/** What the list of commands says of one. */
export interface ListedUsage {
  name: string;
  /** Earlier names, which go on working. */
  aliases?: readonly string[];
  /** One line. */
  summary: string;
}

export interface Usage extends ListedUsage {
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
 * Reads what was typed behind the name of a command. Without `--`, npm keeps the flags for itself and passes them on as
 * variables (`npmFlags`): those of ours count. The first `--` is dropped, as npm does: pnpm and Yarn pass it on.
 * @throws UsageError with the right form.
 */
export function readArguments(
  usage: Usage,
  argv: readonly string[],
  npmFlags: Readonly<Record<string, string>> = {},
): Parsed {
  const command = commandOf(usage);
  const parsed: Parsed = { flags: {}, word: undefined, operands: [], help: false };
  const dashes = argv.indexOf('--');
  const typed = argv.filter((_, index) => index !== dashes);
  const kept = keptByNpm(usage, npmFlags, (name) => typed.some((word) => word.split('=')[0] === `--${name}`));
  try {
    command.parse([...kept, ...typed], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { ...parsed, help: true };
    throw usageError(usage.name, error);
  }
  for (const [name, { type }] of Object.entries(usage.flags)) {
    const key = new Option(`--${name}`).attributeName();
    if (command.getOptionValueSource(key) === 'cli')
      parsed.flags[name] = type === 'boolean' || command.getOptionValue(key);
  }
  const words = command.processedArgs.flat().filter((word): word is string => word !== undefined);
  if (usage.operands) return { ...parsed, operands: words };
  if (usage.severalWords) return { ...parsed, operands: [...new Set(words)] };
  const [word, ...operands] = words;
  return { ...parsed, word, operands: [...new Set(operands)] };
}

/** @returns the page that `--help` shows. */
export function helpPage(usage: Usage): string {
  return [commandOf(usage).helpInformation(), 'Examples:', ...usage.examples.map((example) => `  ${example}`), ''].join(
    '\n',
  );
}

/** @returns the page that lists the commands. */
export function commandList(usages: readonly ListedUsage[]): string {
  return listOf(usages).helpInformation();
}

/** @returns the error for a command that does not exist, with the one that is most like it. */
export function unknownCommand(name: string, usages: readonly ListedUsage[]): UsageError {
  try {
    listOf(usages).parse([name], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return usageError(undefined, error);
  }
  return new UsageError(`unknown command '${name}'.`, 'npm run lists them.');
}

function listOf(usages: readonly ListedUsage[]): Command {
  const program = quiet(new Command('npm run')).usage('<command> [-- <flags>]').helpCommand(false).helpOption(false);
  for (const { name, aliases = [], summary } of usages) program.command(name).aliases(aliases).description(summary);
  return program
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .description('npm run <command> -- --help explains one of them.');
}

/** Has a command throw and print nothing. */
function quiet(command: Command): Command {
  return command
    .exitOverride()
    .configureOutput({ writeOut: () => {}, writeErr: () => {}, getOutHelpWidth: () => process.stdout.columns ?? 120 });
}

function commandOf({ name, description, flags, words, more, severalWords, operands = [] }: Usage): Command {
  const command = quiet(new Command(`npm run ${name} --`))
    .description(description)
    .helpOption('-h, --help', 'Show this page.');
  for (const operand of operands) command.addArgument(new Argument(`<${operand}>`));
  if (words)
    command.addArgument(new Argument(severalWords ? '[word...]' : '[word]', 'One of these:').choices([...words]));
  if (more !== undefined) command.addArgument(new Argument(`[${more}...]`));
  for (const [flag, settings] of Object.entries(flags)) command.addOption(optionOf(flag, settings));
  return command;
}

function optionOf(name: string, flag: Flag): Option {
  const option = new Option(withValue(name, flag), flag.description);
  if (flag.type === 'boolean') return option;
  return option.argParser((text: string, before?: unknown) => {
    const value = parseValue(flag, text);
    return flag.repeated && before !== undefined ? `${before},${value}` : value;
  });
}

/** A flag as it is typed: `--timeout <seconds>`. */
function withValue(name: string, { type, value }: Flag): string {
  return type === 'boolean' ? `--${name}` : `--${name} <${type === 'seconds' ? type : (value ?? type)}>`;
}

function parseValue({ type, choices }: Flag, text: string): string | number {
  if (type === 'seconds') {
    if (!/^0*[1-9]\d*$/.test(text)) throw new InvalidArgumentError('It takes a whole number of seconds.');
    return Number(text);
  }
  if (text === '') throw new InvalidArgumentError('It takes a value.');
  if (!choices) return text;
  const names = text.split(',').flatMap((name) => name.trim() || []);
  if (!names.every((name) => choices.includes(name)))
    throw new InvalidArgumentError(`Allowed names are ${choices.join(', ')}.`);
  return names.join(',');
}

function usageError(name: string | undefined, { message }: CommanderError): UsageError {
  const [what = '', meant] = message.replace(/^error: (command-argument value )?| for argument '.*?'/g, '').split('\n');
  const help = name === undefined ? 'npm run lists them.' : `npm run ${name} -- --help shows how to call it.`;
  return new UsageError(
    `${name === undefined ? '' : `${name}: `}${what.replace(/([^.])$/, '$1.')}`,
    meant?.replace(/^\((.*)\)$/, '$1') ?? help,
  );
}

/**
 * What npm kept of the flags, as it was typed. It sets `wait` to nothing for `--no-wait`, and takes `--timeout 60` apart:
 * "true" remains of it.
 */
function keptByNpm(
  { name: command, flags }: Usage,
  npmFlags: Readonly<Record<string, string>>,
  isTyped: (name: string) => boolean,
): string[] {
  const kept = Object.entries(flags).flatMap(([name, flag]) => {
    const positive = name.startsWith('no-') ? npmFlags[name.slice(3)] : undefined;
    const value = positive === '' || positive === 'false' ? 'true' : npmFlags[name];
    if (flag.typedOnly || isTyped(name) || value === undefined || value === 'false' || value === '') return [];
    if (flag.type === 'boolean') return `--${name}`;
    if (value !== 'true') return `--${name}=${value}`;
    throw new UsageError(
      `npm kept --${name} for itself.`,
      `Put two dashes before it: npm run ${command} -- ${withValue(name, flag)}`,
    );
  });
  // To ignore this one would do what was only to be shown.
  return npmFlags['dry-run'] === 'true' && !Object.hasOwn(flags, 'dry-run') ? [...kept, '--dry-run'] : kept;
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
