import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../errors.ts';
import type { Exec, Output } from '../exec.ts';

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
export async function hasAncestor(
  exec: Exec,
  folder: string,
  newer: string,
  older: string,
): Promise<boolean | undefined> {
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

interface NewCommit {
  /** The commit that it stands on. */
  parent: string;
  message: string;
  /** The files that differ, counted from the top folder, with their new text. */
  files?: ReadonlyMap<string, string>;
  /** The commit whose files it has otherwise. Default: the parent. */
  like?: string;
}

/** Nobody's name: the commit is the program's. */
const author = { NAME: 'platform-ops', EMAIL: 'platform-ops@localhost' };
const identity = Object.fromEntries(
  ['AUTHOR', 'COMMITTER'].flatMap((role) =>
    Object.entries(author).map(([key, value]) => [`GIT_${role}_${key}`, value]),
  ),
);

/** An index that is split, or watched, leaves files and processes behind beside the one that it is meant to be. */
const isolated = ['-c', 'core.splitIndex=false', '-c', 'core.fsmonitor=false'];

/**
 * Makes a commit that no branch, tag or HEAD knows of, and returns its SHA. Only objects are written: the working tree,
 * the index and every ref stay as they are, and `git gc` collects it after two weeks. Whoever knows the SHA can fetch
 * it: a fetch in version 2 of Git's protocol is not limited to refs (https://git-scm.com/docs/gitprotocol-v2, "want").
 */
export async function commitUnreferenced(
  exec: Exec,
  top: string,
  { parent, message, files, like }: NewCommit,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'platform-ops-'));
  try {
    const env = { GIT_INDEX_FILE: join(folder, 'index'), ...identity };
    const git = async (args: readonly string[], input?: string) => {
      const options = { env, timeout: 60_000, nothrow: true, ...(input !== undefined && { input }) };
      const { stdout, stderr, exitCode } = await exec(['git', '-C', top, ...isolated, ...args], options);
      if (exitCode === 0) return stdout.trim();
      throw new UserError(`git ${args[0]} could not write a commit: ${stderr.trim()}`, { hint: 'git fsck' });
    };
    await git(['read-tree', like ?? parent]);
    for (const [path, text] of files ?? []) {
      const blob = await git(['hash-object', '-w', '--stdin'], text);
      await git(['update-index', '--add', '--cacheinfo', `100644,${blob},${path}`]);
    }
    return await git(['commit-tree', await git(['write-tree']), '-p', parent, '-m', message]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
