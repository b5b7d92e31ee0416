/** What a process ends with: done, failed, wrong usage or missing prerequisite, interrupted. */
export const ExitCode = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

interface UserErrorOptions {
  /** One sentence of what to do. */
  hint?: string;
  exitCode?: ExitCode;
  cause?: unknown;
}

/** A failure that was expected: one sentence of what went wrong, and a hint of what to do about it. */
export class UserError extends Error {
  override readonly name: string = 'UserError';
  readonly hint: string | undefined;
  readonly exitCode: ExitCode;

  constructor(message: string, options: UserErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.hint = options.hint;
    this.exitCode = options.exitCode ?? ExitCode.failed;
  }
}

/** Wrong usage, bad settings or a missing prerequisite: nothing was touched, exit code 2. */
export class UsageError extends UserError {
  override readonly name = 'UsageError';

  constructor(message: string, hint?: string) {
    super(message, hint === undefined ? { exitCode: ExitCode.usage } : { exitCode: ExitCode.usage, hint });
  }
}

/** The person pressed Ctrl-C, or the system asked the process to end. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  constructor() {
    super('interrupted');
  }
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * What a tool said, for a message. It is cut between words: a token that is cut in two is not known for one any more where
 * tokens are taken out.
 * @returns at most so many characters, and `…` where there were more
 */
export function shortened(text: string, atMost: number): string {
  if (text.length <= atMost) return text;
  const cut = text.slice(0, atMost);
  const words = /[\s"',;]/.test(text.charAt(atMost)) ? cut : cut.replace(/[^\s"',;]*$/, '');
  return `${words.trimEnd()}…`;
}
