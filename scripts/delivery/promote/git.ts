import { UserError } from '../../lib/errors.ts';
import type { Exec, ExecOptions, Output } from '../../lib/exec.ts';

/** Git in one folder. */
export interface Git {
  /** Returns exit code and output. Throws where it takes too long, or `Interrupted`. */
  attempt(args: readonly string[], options?: ExecOptions): Promise<Output>;
  /** What it prints, without the last line end. Throws a `UserError` with Git's own words. */
  read(args: readonly string[], options?: ExecOptions): Promise<string>;
}

/**
 * Nobody is asked for anything: there is nobody, or they don't look here. What git says is read, so it must be English;
 * LC_ALL would change the encoding for the user's hooks as well. Looking must not lock the index.
 */
const gitEnv = { GIT_TERMINAL_PROMPT: '0', GIT_EDITOR: 'true', GIT_OPTIONAL_LOCKS: '0', LANGUAGE: 'en' };

/** Git as the user has it set up, in a folder of a checkout. */
export function gitIn(exec: Exec, folder: string): Git {
  const attempt: Git['attempt'] = (args, options = {}) =>
    exec(['git', '-C', folder, ...args], {
      timeout: 60_000,
      ...options,
      nothrow: true,
      env: { ...gitEnv, ...options.env },
    });
  return {
    attempt,
    async read(args, options) {
      const output = await attempt(args, options);
      if (output.exitCode === 0) return output.stdout.replace(/\n$/, '');
      throw failed(args[0], output);
    },
  };
}

/**
 * The text of a file at a commit.
 * @returns undefined where the commit has no such file.
 * @throws UserError with Git's own words where it can't be read.
 */
export async function fileAt(git: Git, commit: string, path: string): Promise<string | undefined> {
  const output = await git.attempt(['cat-file', 'blob', `${commit}:${path}`]);
  if (output.exitCode === 0) return output.stdout;
  if (/does not exist in|exists on disk, but not in/.test(output.stderr)) return undefined;
  throw failed('cat-file', output);
}

/** Whether a commit has another one in its history, or is that one. Throws a `UserError` where Git can't tell. */
export async function isAncestor(git: Git, older: string, newer: string): Promise<boolean> {
  const output = await git.attempt(['merge-base', '--is-ancestor', older, newer]);
  if (output.exitCode > 1) throw failed('merge-base', output);
  return output.exitCode === 0;
}

function failed(command: string | undefined, output: Output): UserError {
  return new UserError(`git ${command} failed: ${gitReason(output)}`, { hint: 'git status' });
}

/** Why git, or a hook that it ran, did not do it: what it said, the hints that it gives along with it left out. */
export function gitReason({ stderr, stdout, exitCode }: Output): string {
  const said = [stderr, stdout].map((text) => text.trim()).find((text) => text !== '') ?? `exit code ${exitCode}`;
  const lines = said.split('\n').filter((line) => !line.startsWith('hint: '));
  return lines.slice(-8).join('\n').replace(/\.$/, '');
}

/** A path that git takes as it stands, whatever signs are in it. */
export function literalPath(path: string): string {
  return `:(literal)${path}`;
}
