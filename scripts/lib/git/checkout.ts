import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError, UserError } from '../errors.ts';
import type { Exec, Output } from '../exec.ts';
import { gitIn, readPaths } from './run.ts';

/** The Git checkout that a folder belongs to. */
export interface Checkout {
  /** Top folder of the working tree. */
  top: string;
  /** Where the folder lies below `top`: '' or 'some/folder/'. */
  prefix: string;
  /** The real path of the folder that holds the commits; linked worktrees share it. */
  commonDir: string;
  /** The stores of other repositories that it borrows objects from, as one made with --shared or --reference does. */
  borrows: string[];
  /** Whether its history ends before the first commit, as that of a clone made with --depth does. */
  shallow: boolean;
  /** The commit that is checked out. */
  head: string;
  /** Its subject line. */
  subject: string;
  /** The branch that is checked out, or undefined for a detached HEAD. */
  branch: string | undefined;
  /** Whether this is a linked worktree, whose HEAD is not the repository's own. */
  linked: boolean;
}

/** What Git's configuration says of a remote that has more objects than a partial clone, and of how refs are kept. */
const telling = String.raw`^(remote\..*\.(promisor|partialclonefilter)|extensions\.refstorage)$`;

/** Looks at the checkout around `folder`. Throws a `UsageError` where there is none, or none that can be served. */
export async function readCheckout(exec: Exec, folder: string): Promise<Checkout> {
  const git = gitIn(exec, folder, 'reading');
  // Between two paths, which may have line breaks in them, stands a word.
  const where = ['--show-toplevel', '--git-common-dir', '--git-dir'].flatMap((path) => [path, '--is-inside-git-dir']);
  const format = ['--is-shallow-repository', '--show-object-format', '--show-prefix'];
  const [found, configured, commit] = await Promise.all([
    git.attempt(['rev-parse', '--path-format=absolute', ...where, ...format]),
    git.attempt([...['config', '--null', '--get-regexp'], telling]),
    git.attempt(['rev-list', '--no-walk', '--encoding=UTF-8', '--format=%H%n%s%n%D', 'HEAD', '--']),
  ]);
  const settings = configured.stdout.split('\0').filter((entry) => entry !== '');
  // Git before 2.45 does not know the setting and reads nothing; the one in the cluster is such a one.
  if (
    settings.includes('extensions.refstorage\nreftable') ||
    /unknown repository extension.*refstorage/is.test(found.stderr)
  ) {
    throw new UsageError("This repository keeps its branches as a reftable, which Argo CD's Git can't read.", {
      id: 'clone-unfit',
      hint: 'git refs migrate --ref-format=files, which takes Git 2.46 or newer and no linked worktrees.',
    });
  }
  if (found.exitCode !== 0) throw notACheckout(folder, found);
  const [top = '', commonDir = '', gitDir = '', rest = ''] = found.stdout.split('\nfalse\n');
  const [shallow, objectFormat, ...below] = rest.split('\n');
  if (objectFormat !== 'sha1') {
    throw new UsageError(`This repository names its commits by ${objectFormat}, which Argo CD can't read.`, {
      id: 'clone-unfit',
      hint: 'Use a clone of a repository with SHA-1, which is the default of git init.',
    });
  }
  const promises = settings.map((entry) => entry.split('\n')[0] ?? '').filter((key) => key.startsWith('remote.'));
  if (promises.length > 0) {
    const remotes = new Set(promises.map((key) => key.slice('remote.'.length, key.lastIndexOf('.'))));
    const fetches = [...remotes].map((remote) => `git fetch --refetch --no-filter ${remote}`);
    throw new UsageError('This is a partial clone (made with --filter), which lacks objects that Argo CD fetches.', {
      id: 'clone-unfit',
      hint: [...fetches, ...promises.map((key) => `git config --unset-all ${key}`)].join(' && '),
    });
  }
  if (commit.exitCode !== 0 && !/bad revision|does not have any commits/.test(commit.stderr))
    throw new UserError(`Git can't read the commit that is checked out: ${commit.stderr.trim().split('\n')[0]}`, {
      id: 'clone-unfit',
      hint: 'git fsck',
    });
  if (commit.exitCode !== 0) {
    throw new UsageError('This Git repository has no commit yet, and Argo CD deploys commits.', {
      id: 'no-checkout',
      hint: 'git add -A && git commit -m "Start"',
    });
  }
  // The native form also knows how the folder is spelled where upper and lower case are the same.
  const common = realpathSync.native(commonDir);
  const borrows = await borrowedStores(exec, common);
  for (const path of [common, ...borrows]) {
    if (!path.includes(':')) continue;
    throw new UsageError(`The path ${path} has a colon in it, which Docker can't mount.`, {
      id: 'clone-unfit',
      hint:
        path === common
          ? 'Move the checkout to a folder without one.'
          : 'git repack -a -d && rm "$(git rev-parse --git-path objects/info/alternates)"',
    });
  }
  const [, head = '', subject = '', decoration = ''] = commit.stdout.split('\n');
  return {
    top,
    prefix: below.join('\n').trimEnd(),
    commonDir: common,
    borrows,
    shallow: shallow === 'true',
    head,
    subject,
    branch: decoration.match(/HEAD -> (.+?)(?:, |$)/)?.[1],
    linked: realpathSync.native(gitDir) !== common,
  };
}

/** The stores that a repository borrows objects from, and those that these borrow from in turn, as Git finds them. */
async function borrowedStores(exec: Exec, commonDir: string): Promise<string[]> {
  if (!existsSync(join(commonDir, 'objects', 'info', 'alternates'))) return [];
  const git = gitIn(exec, commonDir, 'reading', ['core.quotePath=false']);
  const told = await git.read(['count-objects', '--verbose']);
  const paths = [...told.matchAll(/^alternate: (.*)$/gm)].map(([, path = '']) => path);
  return paths.map((path) => realpathSync.native(path.startsWith('"') ? JSON.parse(path) : path));
}

/** A commit as a person reads it: the first seven digits of its SHA. */
export function shortSha(commit: string): string {
  return commit.slice(0, 7);
}

/** The files below `folders` that differ from HEAD or are new, counted from the top folder. */
export async function uncommittedFiles(exec: Exec, folder: string, folders: readonly string[]): Promise<string[]> {
  const how = ['--porcelain', '-z', '--no-renames', '--untracked-files=normal', '--ignore-submodules=none'];
  const status = await readPaths(gitIn(exec, folder, 'reading'), ['status', ...how, '--', ...folders]);
  return status.map((line) => line.slice(3));
}

function notACheckout(folder: string, { exitCode, stderr }: Output): UsageError {
  if (/dubious ownership/.test(stderr)) {
    return new UsageError(`Git does not trust ${folder}, because it belongs to another user.`, {
      id: 'git-untrusted',
      hint: `git config --global --add safe.directory "${folder}"`,
    });
  }
  if (exitCode === 127)
    return new UsageError('git was not found.', {
      id: 'git-missing',
      hint: 'Install Git, for example with your package manager.',
    });
  return new UsageError(`${folder} is not a Git checkout, and Argo CD deploys commits.`, {
    id: 'no-checkout',
    hint: 'Clone the repository instead of unpacking an archive of it, or: git init && git add -A && git commit -m "Start"',
  });
}
