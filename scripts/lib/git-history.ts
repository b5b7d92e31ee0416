import type { Exec } from './exec.ts';

/** A commit that this clone has. */
export interface Commit {
  sha: string;
  /** The first line of its message. */
  subject: string;
  /** When it was made, in milliseconds since 1970, a whole second. */
  committedAt: number;
}

const timeout = 20_000;

/** The commit that a revision names, or undefined where this clone has no such commit. */
export async function readCommit(exec: Exec, folder: string, revision: string): Promise<Commit | undefined> {
  const { stdout, exitCode } = await exec(
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
    { nothrow: true, timeout },
  );
  const [sha = '', seconds = '', subject = ''] = stdout.split('\n');
  return exitCode === 0 && sha !== '' ? { sha, subject, committedAt: Number(seconds) * 1000 } : undefined;
}

/** Whether a commit has another one in its history, or is that one; undefined where this clone lacks one of the two. */
export async function contains(exec: Exec, folder: string, newer: string, older: string): Promise<boolean | undefined> {
  const { exitCode } = await exec(['git', '-C', folder, 'merge-base', '--is-ancestor', older, newer], {
    nothrow: true,
    timeout,
  });
  return exitCode === 0 ? true : exitCode === 1 ? false : undefined;
}

/** The files below `paths` that differ between two commits, sorted; none where this clone lacks one of the two. */
export async function changedFiles(
  exec: Exec,
  folder: string,
  [from, to]: readonly [string, string],
  paths: readonly string[],
): Promise<string[]> {
  const range = ['--name-only', '--no-renames', '--no-ext-diff', '-z', from, to];
  const { stdout, exitCode } = await exec(['git', '-C', folder, 'diff', ...range, '--', ...paths], {
    nothrow: true,
    timeout,
  });
  if (exitCode !== 0) return [];
  return stdout.split('\0').filter((file) => file !== '');
}
