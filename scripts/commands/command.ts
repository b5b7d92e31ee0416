import type { Invocation } from '../config/config.ts';
import { preflightCheckNames } from '../config/settings.ts';
import type { ContextOptions } from '../context.ts';
import { type ExitCode, UsageError } from '../lib/errors.ts';
import type { ListedUsage, Usage } from '../lib/terminal/args.ts';
import { askWhether, terminalOf } from '../lib/terminal/prompt.ts';

export type { Invocation };

/** A command without what the list of commands says of it. */
export interface Command extends Omit<Usage, keyof ListedUsage> {
  /** What it ends with when it fails, where 1 is an answer. */
  failure?: ExitCode;
  /** How to go on after an interruption; nothing for what only looks. */
  interrupted?: string;
  /** `all` are all commands: for the one that completes them. */
  run(invocation: Invocation, all?: AllCommands): Promise<ExitCode>;
}

export type NamedCommand = Usage & Command;

export interface AllCommands {
  commands: readonly ListedUsage[];
  findCommand(name: string): Promise<Usage | undefined>;
}

/** What a command's flags say of its context, with `note` told what there is to know while it works, a line each. */
export function contextOptions(
  { flags, signal }: Pick<Invocation, 'flags' | 'signal'>,
  note: (text: string) => void,
): ContextOptions {
  return {
    signal,
    ...(typeof flags.timeout === 'number' && { timeout: flags.timeout }),
    ...(flags.verbose && { onCommand: (command) => note(`$ ${command.join(' ')}`) }),
    onDownload: (what) => note(`Fetching ${what}.`),
    onRetry: (why) => note(`! Tried again: ${why}`),
  };
}

/**
 * How to be sure that it is meant: by a question, unless --yes or --dry-run was typed.
 * @throws UsageError with this hint where there is no terminal to ask at.
 */
export function confirmation(
  { flags, signal, progressStream }: Invocation,
  hint: string,
): (question: string) => Promise<boolean> {
  if (flags.yes || flags['dry-run']) return async () => true;
  const terminal = terminalOf(process.stdin, progressStream, signal);
  if (terminal) return (question) => askWhether(terminal, question);
  throw new UsageError('There is no terminal to ask whether this is meant.', { id: 'no-terminal', hint });
}

/** A flag for every command that changes the cluster. */
export const lockFlags = {
  'no-wait': { type: 'boolean', description: 'Fail at once if another command is working on the cluster.' },
} as const;

/** Flags of every command that edits values files. */
export const deliveryFlags = {
  'no-commit': { type: 'boolean', description: 'Only edit the files.' },
  push: { type: 'boolean', description: 'Push the commit, after those that came in meanwhile.' },
  'dry-run': { type: 'boolean', description: 'Print what would be edited, committed and pushed, and do nothing.' },
  json: { type: 'boolean', description: 'Print the result as JSON.' },
  timeout: { type: 'seconds', description: 'How long to wait until the commit runs (default: 300).' },
  verbose: { type: 'boolean', description: 'Show every command that is run.' },
  ...lockFlags,
} as const;

/** A flag for every command that runs preflight checks. */
export const checkFlags = {
  'ignore-checks': {
    type: 'text',
    value: 'names',
    repeated: true,
    choices: preflightCheckNames,
    description: `Only warn about problems of these checks, as IGNORE_CHECKS does: comma-separated.`,
  },
} as const;
