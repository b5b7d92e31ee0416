import type { Invocation } from '../invocation.ts';
import type { Usage } from '../lib/args.ts';
import type { ExitCode } from '../lib/errors.ts';

export type { Invocation };

export interface Command extends Usage {
  /** What it ends with when it fails, where 1 is an answer. */
  failure?: ExitCode;
  run(invocation: Invocation): Promise<ExitCode>;
}
