import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../errors.ts';
import type { Exec, Output } from '../exec.ts';
import { shortSha } from './checkout.ts';
import { type Git, gitFailed, gitIn, literalPath, readPaths } from './run.ts';

/** A commit that this clone has. */
export interface Commit {
  sha: string;
  /** The first line of its message. */
  subject: string;
  /** When it was made, in milliseconds since 1970, a whole second. */
  committedAt: number;
}

/** What it says of a commit that this clone lacks. */
const unknown = /bad (revision|object)|unknown revision|not a valid (commit|object) name|invalid object name/i;

/**
 * What git prints, or undefined where this clone lacks a commit that was asked about.
 * @throws UserError where it failed for another reason.
 */
async function askAbout(exec: Exec, folder: string, args: readonly string[]): Promise<Output | undefined> {
  const output = await gitIn(exec, folder, 'reading').attempt(args);
  // 1 is an answer.
  if (output.exitCode <= 1) return output;
  if (unknown.test(output.stderr)) return undefined;
  throw gitFailed(args[0], output);
}

/** The commit that a revision names, or undefined where this clone has no such commit. */
export async function readCommit(exec: Exec, folder: string, revision: string): Promise<Commit | undefined> {
  const how = ['--no-walk', '--encoding=UTF-8', '--format=%H%n%ct%n%s', '--end-of-options'];
  const output = await askAbout(exec, folder, ['rev-list', ...how, revision, '--']);
  const [, sha = '', seconds = '', subject = ''] = output?.stdout.split('\n') ?? [];
  return sha === '' ? undefined : { sha, subject, committedAt: Number(seconds) * 1000 };
}

/** Whether a commit has another one in its history, or is that one; undefined where this clone lacks one of the two. */
export async function hasAncestor(
  exec: Exec,
  folder: string,
  newer: string,
  older: string,
): Promise<boolean | undefined> {
  const output = await askAbout(exec, folder, ['merge-base', '--is-ancestor', older, newer]);
  return output && output.exitCode === 0;
}

/** The files that a commit changes, compared with each of its parents, or that differ between two, from the top folder. */
export async function filesChanged(git: Git, ...what: [string] | [string, string]): Promise<string[]> {
  const args = ['--no-commit-id', '--name-only', '--no-renames', '-r', '-m', '--root', '-z'];
  return [...new Set(await readPaths(git, ['diff-tree', ...args, ...what]))];
}

/**
 * The texts of files, byte for byte, in one process. Symbolic links are followed, also those of folders on the way.
 * @param names as in `HEAD:helm/values.yaml`, counted from the top folder.
 * @returns a text for each, or undefined where the commit has no such file, or a link to nothing.
 * @throws UserError where Git can't read one, or where a link leads out of the repository: Argo CD refuses all of a repository
 * that has one (reposerver/repository, "repository contains out-of-bounds symlinks").
 */
export async function blobsAt(git: Git, names: readonly string[]): Promise<(string | undefined)[]> {
  // Behind each one a name that is missing for certain, and that no file can know.
  const mark = randomUUID();
  const input = names.map((name) => `${name}\n${mark}\n`).join('');
  const how = ['--batch=%(objecttype)', '--follow-symlinks'];
  const answers = (await git.read(['cat-file', ...how], { input })).split(`${mark} missing`);
  const read = names.map((name, index) => {
    const answer = answers[index]?.replace(/^\n/, '') ?? '';
    const [, kind = '', size] = /^(\w+)(?: (\d+))?\n/.exec(answer) ?? [];
    if (kind === 'symlink') throw leadsOut(name, answer.split('\n')[1] ?? '');
    // The others of a size are links that dangle or loop.
    return { text: kind === 'blob' ? answer.slice('blob\n'.length, -1) : undefined, isKnown: size !== undefined };
  });
  // To cat-file, what can't be read is missing as well. A hold in such a file must not count as none.
  for (const name of new Set(names.filter((_, index) => read[index]?.text === undefined && !read[index]?.isKnown))) {
    const [commit = '', path = ''] = name.split(/:(.*)/s);
    const listed = await git.read(['ls-tree', '--full-tree', commit, '--', literalPath(path)]);
    if (listed !== '') throw new UserError(`Git can't read ${name}.`, { id: 'clone-unfit', hint: 'git fsck' });
  }
  return read.map(({ text }) => text);
}

function leadsOut(name: string, target: string): UserError {
  const [commit = '', path = ''] = name.split(/:(.*)/s);
  return new UserError(
    `${path} at ${shortSha(commit)} is a symbolic link out of the repository, to ${target}, which Argo CD refuses.`,
    { id: 'link-outside', hint: 'Link to a file of the repository, or copy it there; then commit.' },
  );
}

/**
 * The texts of files at a commit, by path; a file that the commit doesn't have is left out. Like `blobsAt` otherwise.
 * @param paths count from the top folder.
 */
export async function filesAt(
  exec: Exec,
  top: string,
  commit: string,
  paths: readonly string[],
): Promise<Map<string, string>> {
  const names = paths.map((path) => `${commit}:${path}`);
  const texts = await blobsAt(gitIn(exec, top, 'reading'), names);
  return new Map(paths.flatMap((path, index) => (texts[index] === undefined ? [] : [[path, texts[index]]])));
}

/** The files below `paths` that differ between two commits, sorted; none where this clone lacks one of the two. */
export async function changedFiles(
  exec: Exec,
  folder: string,
  [from, to]: readonly [string, string],
  paths: readonly string[],
): Promise<string[]> {
  const how = ['-r', '--name-only', '--no-renames', '-z', from, to, '--'];
  const output = await askAbout(exec, folder, ['diff-tree', ...how, ...paths]);
  return output?.stdout.split('\0').filter((file) => file !== '') ?? [];
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
    const repository = gitIn(exec, top, 'reading');
    const env = { GIT_INDEX_FILE: join(folder, 'index'), ...identity };
    const git = (args: readonly string[], input?: string) =>
      repository.read(args, { env, ...(input !== undefined && { input }) });
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
