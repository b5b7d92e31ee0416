import type { ContextOptions } from '../context.ts';
import type { Invocation } from './command.ts';

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
