import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Context } from '../../images/context.ts';
import { UserError } from '../../lib/errors.ts';
import { createExec } from '../../lib/exec.ts';
import { writeWhole } from '../../lib/files.ts';
import { type Checkout, shortSha } from '../../lib/git/checkout.ts';
import { type Git, gitIn, gitReason, literalPath } from '../../lib/git/run.ts';
import { findServices, type Service } from '../../repository/service-files.ts';
import {
  destinationName,
  destinationOf,
  fetchNewest,
  type PushDestination,
  pendingCommits,
  pushBranch,
} from './push.ts';
import { ReplayConflict } from './replay.ts';

/** What is to become of edits: left in the working tree, committed, or committed and pushed. */
export interface CommitOptions {
  commit: boolean;
  push: boolean;
}

/** Where promotions are made: the checkout, with what was found out about it. */
export interface Workspace {
  context: Context;
  root: string;
  /** Where the root lies below the top folder: '' or 'some/folder/'. */
  prefix: string;
  git: Git;
  /** The same Git in the top folder. */
  top: Git;
  /** A Git that an interruption does not end, to put things back with. */
  afterwards: Git;
  commitOptions: CommitOptions;
  /** Where the branch is pushed to, what is there, and which of our promotions are not; where it is to be pushed. */
  remote: { destination: PushDestination; upstream: string | undefined; pending: string[] } | undefined;
}

/** What became of edits. */
export interface CommitResult {
  commit: string | undefined;
  /** Where it was pushed to, as in `origin/main`. */
  pushed: string | undefined;
}

const notCommitted: CommitResult = { commit: undefined, pushed: undefined };

/**
 * Looks whether these services' values files can be edited and committed without touching what somebody else is at.
 * Throws a `UserError`.
 */
export async function openWorkspace(
  context: Context,
  services: readonly Service[],
  commitOptions: CommitOptions,
): Promise<Workspace> {
  const { root, childEnv } = context.config;
  const checkout = await context.checkout('fresh');
  const [git, top] = [gitIn(context.exec, root, 'committing'), gitIn(context.exec, checkout.top, 'committing')];
  const afterwards = gitIn(createExec({ env: childEnv, signal: new AbortController().signal }), root, 'committing');
  const workspace: Workspace = {
    context,
    root,
    prefix: checkout.prefix,
    git,
    top,
    afterwards,
    commitOptions,
    remote: undefined,
  };
  if (!commitOptions.commit) return workspace;
  await assertSupported(
    git,
    checkout,
    services.map(({ file }) => file),
  );
  if (!commitOptions.push || checkout.branch === undefined) return workspace;
  const destination = await destinationOf(git, checkout.branch);
  const upstream = await fetchNewest(top, destination);
  const all = await findServices(root, 'all');
  const files = new Set(all.map(({ file }) => `${checkout.prefix}${file}`));
  return {
    ...workspace,
    remote: { destination, upstream, pending: await pendingCommits(top, upstream, files, destination) },
  };
}

/** Writes the edits and does with them what is wished. Throws a `UserError`; then the files are as they were. */
export async function commitAndPush(
  workspace: Workspace,
  edits: readonly FileEdit[],
  message: string,
): Promise<CommitResult> {
  if (!workspace.commitOptions.commit) {
    await writeEdits(workspace.root, edits);
    return notCommitted;
  }
  const commit = await commitEdits(workspace, edits, message);
  if (!workspace.remote) return { commit, pushed: undefined };
  try {
    return await pushWorkspace(workspace, workspace.remote);
  } catch (error) {
    if (error instanceof ReplayConflict) await undoCommit(workspace, commit);
    throw error;
  }
}

/** Pushes the promotions that were committed and not pushed earlier, where that is wished. */
export async function pushPending(workspace: Workspace): Promise<CommitResult> {
  return workspace.remote && workspace.remote.pending.length > 0
    ? pushWorkspace(workspace, workspace.remote)
    : notCommitted;
}

async function pushWorkspace(
  { top, context }: Workspace,
  remote: NonNullable<Workspace['remote']>,
): Promise<CommitResult> {
  const commit = await pushBranch(top, { ...remote, signal: context.signal });
  return { commit, pushed: destinationName(remote.destination) };
}

/** What can't follow what came in meanwhile shall not stay here either. */
async function undoCommit({ afterwards }: Workspace, commit: string): Promise<void> {
  if ((await afterwards.read(['rev-parse', 'HEAD'])) !== commit) return;
  await afterwards.attempt(['reset', '--quiet', '--keep', `${commit}^`]);
}

/** What can be under way in a checkout: the file that says so, what it is called, and how it ends. */
const gitOperations = [
  ['MERGE_HEAD', 'A merge', 'git merge --continue ends it, git merge --abort gives it up.'],
  ['rebase-merge', 'A rebase', 'git rebase --continue ends it, git rebase --abort gives it up.'],
  ['rebase-apply', 'A rebase', 'git rebase --continue ends it, git rebase --abort gives it up.'],
  ['CHERRY_PICK_HEAD', 'A cherry-pick', 'git cherry-pick --continue ends it, git cherry-pick --abort gives it up.'],
  ['REVERT_HEAD', 'A revert', 'git revert --continue ends it, git revert --abort gives it up.'],
] as const;

/**
 * Throws a `UserError` where a commit to these files would belong to no branch, take along what somebody else is at, or
 * could not be made at all.
 */
async function assertSupported(git: Git, checkout: Checkout, files: readonly string[]): Promise<void> {
  await assertNoGitOperation(git);
  if (checkout.branch === undefined)
    throw new UserError(`HEAD is detached at ${shortSha(checkout.head)}: a commit there would belong to no branch.`, {
      id: 'checkout-busy',
      hint: 'git switch <branch>, as in git switch main.',
    });
  const staged = await readPaths(git, ['diff', '--cached', '--name-only', '--no-renames', '-z']);
  if (staged.length > 0)
    throw new UserError(`There are staged changes, which are somebody's next commit: ${fileList(staged)}.`, {
      id: 'checkout-busy',
      hint: 'git commit them, or take them back with git restore --staged.',
    });
  const status = await readPaths(git, ['status', '--porcelain', '-z', '--no-renames', '--', ...files.map(literalPath)]);
  const edited = status.map((line) => line.slice(3));
  if (edited.length > 0)
    throw new UserError(`There are edits that are not committed in ${fileList(edited)}.`, {
      id: 'checkout-busy',
      hint: 'git diff shows them: commit them first, or git stash.',
    });
  await assertCommitter(git);
}

async function assertNoGitOperation(git: Git): Promise<void> {
  const names = gitOperations.flatMap(([name]) => ['--git-path', name]);
  const files = (await git.read(['rev-parse', '--path-format=absolute', ...names])).split('\n');
  const found = gitOperations.find((_, index) => existsSync(files[index] ?? ''));
  if (found) throw new UserError(`${found[1]} is under way in this checkout.`, { id: 'checkout-busy', hint: found[2] });
}

async function assertCommitter(git: Git): Promise<void> {
  for (const who of ['GIT_AUTHOR_IDENT', 'GIT_COMMITTER_IDENT']) {
    const output = await git.attempt(['var', who]);
    if (output.exitCode === 0) continue;
    const reason = gitReason(output).split('\n').at(-1)?.replace('fatal: ', '');
    throw new UserError(`Git does not know who commits: ${reason}.`, {
      id: 'no-identity',
      hint: 'git config --global user.name "Your Name" && git config --global user.email you@example.com',
    });
  }
}

async function readPaths(git: Git, args: readonly string[]): Promise<string[]> {
  return (await git.read(args)).split('\0').filter((path) => path !== '');
}

function fileList(files: readonly string[]): string {
  const named = files.slice(0, 3).join(', ');
  return files.length > 3 ? `${named} and ${files.length - 3} more` : named;
}

/** A values file as it is and as it shall be. */
export interface FileEdit {
  service: Service;
  before: string;
  after: string;
}

/** Writes the edits into the working tree. */
async function writeEdits(root: string, edits: readonly FileEdit[]): Promise<void> {
  for (const { service, after } of edits) writeWhole(join(root, service.file), after);
}

/**
 * Writes the edits and commits these files alone. Returns the commit. Where that fails, as by a hook, the files are
 * put back as they were, and a `UserError` says why. `afterwards` is a Git that an interruption does not end.
 */
async function commitEdits(
  { git, afterwards, root }: { git: Git; afterwards: Git; root: string },
  edits: readonly FileEdit[],
  message: string,
): Promise<string> {
  const head = await git.read(['rev-parse', 'HEAD']);
  const files = edits.map(({ service }) => literalPath(service.file));
  try {
    await writeEdits(root, edits);
    // What the user's hooks, signature and configuration add to a commit belongs to this one, too. They get their time.
    const output = await git.attempt(['commit', '--quiet', '--only', '--message', message, '--', ...files], {
      timeout: 300_000,
    });
    if (output.exitCode !== 0)
      throw new UserError(`Nothing was committed, and everything is as it was; git commit says: ${gitReason(output)}`, {
        hint: 'Correct what a hook found, or see to what Git asks for, and run the command again.',
      });
    return await git.read(['rev-parse', 'HEAD']);
  } catch (error) {
    if ((await afterwards.read(['rev-parse', 'HEAD'])) === head) await restoreFiles(afterwards, root, edits);
    throw error;
  }
}

async function restoreFiles(git: Git, root: string, edits: readonly FileEdit[]): Promise<void> {
  await git.attempt(['reset', '--quiet', '--', ...edits.map(({ service }) => literalPath(service.file))]);
  await writeEdits(
    root,
    edits.map(({ service, before }) => ({ service, before, after: before })),
  );
}
