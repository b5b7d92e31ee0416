import type { Parsed } from '../lib/text/args.ts';
import type { Config } from './config.ts';

/** What a command is given. It returns the exit code, and throws what went wrong. */
export interface Invocation {
  config: Config;
  flags: Parsed['flags'];
  word: string | undefined;
  /** As many as the command's usage names. */
  operands?: Parsed['operands'];
  /** Fires on Ctrl-C and its like. */
  signal: AbortSignal;
  /** Data, to standard output. */
  print(text: string): void;
  /** Progress, to standard error. */
  progressStream: NodeJS.WriteStream;
}
