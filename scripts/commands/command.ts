import type { Invocation } from '../config/config.ts';
import type { ContextOptions } from '../context.ts';
import type { ExitCode } from '../lib/errors.ts';
import type { Usage } from '../lib/terminal/args.ts';

export type { Invocation };

export interface Command extends Usage {
  /** What it ends with when it fails, where 1 is an answer. */
  failure?: ExitCode;
  run(invocation: Invocation): Promise<ExitCode>;
}

/** What a command's flags say of its context, with `note` told what a person wants to know while it works, a line each. */
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
