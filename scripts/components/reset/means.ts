import type { Invocation } from '../../config/config.ts';
import type { Context } from '../../images/context.ts';
import { ExitCode } from '../../lib/errors.ts';
import type { Progress } from '../../lib/terminal/progress.ts';

/** Whether somebody, or a flag, says that it is meant. */
export type Confirm = (message: string) => Promise<boolean>;

/** What each way to reset is given. */
export interface Means {
  invocation: Invocation;
  context: Context;
  confirm: Confirm;
  progress: Progress;
}

/** Says that nothing was done, because somebody said no. */
export function declined({ flags, print }: Invocation): ExitCode {
  print(flags.json ? json({ removed: [], kept: [], left: [] }) : 'Nothing was removed.');
  return ExitCode.failed;
}

/** A result for a program. */
export function json(value: object): string {
  return JSON.stringify(value, undefined, 2);
}
