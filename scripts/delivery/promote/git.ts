import type { Exec } from '../../lib/exec.ts';
import { type Git, gitFailed, gitIn as presetGit } from '../../lib/git/run.ts';

export { type Git, gitReason, literalPath } from '../../lib/git/run.ts';

/** Git as the user has it set up, in a folder of a checkout. */
export function gitIn(exec: Exec, folder: string): Git {
  return presetGit(exec, folder, 'committing');
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
  throw gitFailed('cat-file', output);
}

/** Whether a commit has another one in its history, or is that one. Throws a `UserError` where Git can't tell. */
export async function isAncestor(git: Git, older: string, newer: string): Promise<boolean> {
  const output = await git.attempt(['merge-base', '--is-ancestor', older, newer]);
  if (output.exitCode > 1) throw gitFailed('merge-base', output);
  return output.exitCode === 0;
}
