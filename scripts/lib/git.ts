import { realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from './errors.ts';
import type { Exec } from './exec.ts';

/** The Git checkout that a folder belongs to. */
export interface Checkout {
  /** Top folder of the working tree. */
  top: string;
  /** Where the folder lies below `top`: '' or 'some/folder/'. */
  prefix: string;
  /** The real path of the folder that holds the commits; linked worktrees share it. */
  commonDir: string;
  /** The commit that is checked out. */
  head: string;
  /** Its subject line. */
  subject: string;
  /** The branch that is checked out, or undefined for a detached HEAD. */
  branch: string | undefined;
  /** Whether this is a linked worktree, whose HEAD is not the repository's own. */
  linked: boolean;
}

/** Looks at the checkout around `folder`. Throws a `UsageError` where there is none, or none that can be served. */
export async function readCheckout(exec: Exec, folder: string): Promise<Checkout> {
  const git = async (...args: string[]) => exec(['git', '-C', folder, ...args], { nothrow: true, timeout: 20_000 });
  const found = await git(
    'rev-parse',
    '--path-format=absolute',
    '--show-toplevel',
    '--git-common-dir',
    '--git-dir',
    '--is-shallow-repository',
  );
  if (found.exitCode !== 0) throw notACheckout(folder, found.stderr);
  const [top = '', commonDir = '', gitDir = '', shallow] = found.stdout.split('\n');
  const commit = await git('log', '-1', '--format=%H %s', 'HEAD', '--');
  if (commit.exitCode !== 0) {
    throw new UsageError(
      'This Git repository has no commit yet, and Argo CD deploys commits.',
      'git add -A && git commit -m "Start"',
    );
  }
  if (shallow === 'true') {
    throw new UsageError('This is a shallow clone, which Git refuses to fetch from.', 'git fetch --unshallow');
  }
  const common = realpathSync(commonDir);
  if (common.includes(':')) {
    throw new UsageError(
      `The path ${common} has a colon in it, which Docker can't mount.`,
      'Move the checkout to a folder without one.',
    );
  }
  if (statSync(join(common, 'objects', 'info', 'alternates'), { throwIfNoEntry: false })) {
    throw new UsageError(
      'This clone borrows objects from another one (it was made with --shared or --reference).',
      `git repack -a -d && rm "${join(common, 'objects', 'info', 'alternates')}"`,
    );
  }
  const [branch, prefix] = await Promise.all([
    git('symbolic-ref', '--quiet', '--short', 'HEAD'),
    git('rev-parse', '--show-prefix'),
  ]);
  const [, head = '', subject = ''] = commit.stdout.trimEnd().match(/^(\S+) ?(.*)$/s) ?? [];
  return {
    top,
    prefix: prefix.stdout.trim(),
    commonDir: common,
    head,
    subject,
    branch: branch.exitCode === 0 ? branch.stdout.trim() : undefined,
    linked: realpathSync(gitDir) !== common,
  };
}

/** The text of a file at a commit, or undefined where that commit has none. `path` counts from the top folder. */
export async function fileAt(exec: Exec, top: string, commit: string, path: string): Promise<string | undefined> {
  const shown = await exec(['git', '-C', top, 'show', `${commit}:${path}`], { nothrow: true, timeout: 20_000 });
  return shown.exitCode === 0 ? shown.stdout : undefined;
}

/** The files below `folders` that differ from HEAD or are new, counted from the top folder. */
export async function uncommitted(exec: Exec, folder: string, folders: readonly string[]): Promise<string[]> {
  const status = await exec(['git', '-C', folder, 'status', '--porcelain', '-z', '--no-renames', '--', ...folders], {
    timeout: 20_000,
  });
  return status.stdout
    .split('\0')
    .filter((line) => line !== '')
    .map((line) => line.slice(3));
}

function notACheckout(folder: string, stderr: string): UsageError {
  if (/dubious ownership/.test(stderr)) {
    return new UsageError(
      `Git does not trust ${folder}, because it belongs to another user.`,
      `git config --global --add safe.directory "${folder}"`,
    );
  }
  if (/command not found|ENOENT/.test(stderr))
    return new UsageError('git was not found.', 'Install Git, for example with your package manager.');
  return new UsageError(
    `${folder} is not a Git checkout, and Argo CD deploys commits.`,
    'Clone the repository instead of unpacking an archive of it, or: git init && git add -A && git commit -m "Start"',
  );
}
