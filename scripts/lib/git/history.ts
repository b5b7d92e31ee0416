import { UserError } from '../errors.ts';
import type { Exec, Output } from '../processes/exec.ts';

/** A commit that this clone has. */
export interface Commit {
  sha: string;
  /** The first line of its message. */
  subject: string;
  /** When it was made, in milliseconds since 1970, a whole second. */
  committedAt: number;
}

/** What git says is read here, so it must not be translated. */
const options = { nothrow: true, timeout: 20_000, env: { LC_ALL: 'C' } };
/** What it says of a commit that this clone lacks. */
const unknown = /bad (revision|object)|unknown revision|not a valid (commit|object) name|invalid object name/i;

/** Throws a `UserError` where git failed for another reason than a commit that is not there. */
function demandUnknown(command: string, { stderr }: Output): void {
  if (!unknown.test(stderr))
    throw new UserError(`git ${command} failed: ${stderr.trim().split('\n').at(-1)}`, { hint: 'git status' });
}

/** The commit that a revision names, or undefined where this clone has no such commit. */
export async function readCommit(exec: Exec, folder: string, revision: string): Promise<Commit | undefined> {
  const output = await exec(
    [
      'git',
      '-C',
      folder,
      'log',
      '-1',
      '--no-show-signature',
      '--format=%H%n%ct%n%s',
      '--end-of-options',
      revision,
      '--',
    ],
    options,
  );
  if (output.exitCode !== 0) {
    demandUnknown('log', output);
    return undefined;
  }
  const [sha = '', seconds = '', subject = ''] = output.stdout.split('\n');
  return sha !== '' ? { sha, subject, committedAt: Number(seconds) * 1000 } : undefined;
}

/** Whether a commit has another one in its history, or is that one; undefined where this clone lacks one of the two. */
export async function contains(exec: Exec, folder: string, newer: string, older: string): Promise<boolean | undefined> {
  const output = await exec(['git', '-C', folder, 'merge-base', '--is-ancestor', older, newer], options);
  if (output.exitCode > 1) {
    demandUnknown('merge-base', output);
    return undefined;
  }
  return output.exitCode === 0;
}

/** The files below `paths` that differ between two commits, sorted; none where this clone lacks one of the two. */
export async function changedFiles(
  exec: Exec,
  folder: string,
  [from, to]: readonly [string, string],
  paths: readonly string[],
): Promise<string[]> {
  const range = ['--name-only', '--no-renames', '--no-ext-diff', '-z', from, to];
  const output = await exec(['git', '-C', folder, 'diff', ...range, '--', ...paths], options);
  if (output.exitCode !== 0) {
    demandUnknown('diff', output);
    return [];
  }
  return output.stdout.split('\0').filter((file) => file !== '');
}
