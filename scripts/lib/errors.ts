import { type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** What a process ends with: done, failed, wrong usage or missing prerequisite, interrupted. */
export const ExitCode = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

interface UserErrorOptions {
  /** What kind of failure this is, in kebab case: the heading of its section in docs/troubleshooting.md, if it has one. */
  id?: string | readonly string[] | undefined;
  /** One sentence of what to do. */
  hint?: string | undefined;
  exitCode?: ExitCode;
  cause?: unknown;
}

/** A failure that was expected: one sentence of what went wrong, and a hint of what to do about it. */
export class UserError extends Error {
  override readonly name: string = 'UserError';
  /** Which failure this is, whatever its message says: its own id, or else that of its cause. */
  readonly id: string | undefined;
  /** The same, and those of all its causes. */
  readonly ids: readonly string[];
  readonly hint: string | undefined;
  readonly exitCode: ExitCode;

  constructor(message: string, { id = [], hint, exitCode = ExitCode.failed, cause }: UserErrorOptions = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.ids = [...new Set([id, cause instanceof UserError ? cause.ids : []].flat(2))];
    this.id = this.ids[0];
    this.hint = hint;
    this.exitCode = exitCode;
  }
}

/** Wrong usage, bad settings or a missing prerequisite: nothing was touched, exit code 2. */
export class UsageError extends UserError {
  override readonly name = 'UsageError';

  constructor(message: string, options: string | Omit<UserErrorOptions, 'exitCode'> = {}) {
    super(message, { ...(typeof options === 'string' ? { hint: options } : options), exitCode: ExitCode.usage });
  }
}

/** You pressed Ctrl-C, or the system asked the process to end. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  constructor() {
    super('interrupted');
  }
}

/** Whether a program says that the disk is full. */
export function isDiskFull(said: string): boolean {
  return /no space left on device/i.test(said);
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

/**
 * What tells of a file that this user may not read or write: whose it is, and how to make it this user's.
 *
 * @param error what the system said.
 * @returns undefined where it said something else.
 */
export function accessError(error: unknown): UserError | undefined {
  const { code = '', path = '' } = (error ?? {}) as NodeJS.ErrnoException;
  if (!['EACCES', 'EPERM', 'EROFS'].includes(code) || path === '') return undefined;
  // Of what can't be made, the folder around it is what may not be written to.
  const [place = '/', known] = firstThere(path);
  if (code === 'EROFS')
    return new UserError(`${place} is on a read-only file system.`, {
      id: 'file-not-permitted',
      hint: 'Mount it so that it can be written to, or use a clone in another folder.',
      cause: error,
    });
  const foreign = known !== undefined && known.uid !== process.getuid?.();
  return new UserError(
    `This user may not use ${place}${foreign ? `, which belongs to ${known.uid === 0 ? 'root' : `user ${known.uid}`}` : ''}.`,
    {
      id: 'file-not-permitted',
      hint: foreign ? `sudo chown -R "$(id -u):$(id -g)" "${place}"` : `chmod u+rwX "${place}"`,
      cause: error,
    },
  );
}

/** The path, or the nearest folder above it that is there. */
export function firstThere(path: string): [string, Stats | undefined] {
  try {
    return [path, statSync(path)];
  } catch {
    return dirname(path) === path ? [path, undefined] : firstThere(dirname(path));
  }
}
