import type { Config } from '../../config/config.ts';
import { UsageError } from '../../lib/errors.ts';

/** Throws a `UsageError` where TARGET_CONTEXT names a cluster that a command is not for: those who run it do that. */
export function refuseElsewhere({ target }: Config, command: string, why: string): void {
  if (target === undefined) return;
  throw new UsageError(
    `The command ${command} is not for the cluster of the context ${target}: ${why}.`,
    'Without TARGET_CONTEXT in .env or in the environment, commands are for the cluster of kind.',
  );
}
