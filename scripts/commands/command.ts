import type { Invocation } from '../config/config.ts';
import type { ExitCode } from '../lib/errors.ts';
import type { Usage } from '../lib/terminal/args.ts';

export type { Invocation };

export interface Command extends Usage {
  /** What it ends with when it fails, where 1 is an answer. */
  failure?: ExitCode;
  run(invocation: Invocation): Promise<ExitCode>;
}
