import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../lib/errors.ts';
import { createExec } from '../../lib/exec.ts';
import { readFileOrPipe, writeWhole } from '../../lib/files.ts';
import { shortSha } from '../../lib/git/checkout.ts';
import { blobsAt, filesChanged } from '../../lib/git/commits.ts';
import { type Git, gitIn, gitReason, literalPath, readPaths } from '../../lib/git/run.ts';
import type { DeliveryPlan } from './plan.ts';
import { pushCommit, ReplayConflict } from './push.ts';
import { editedFiles, fileList, type Workspace } from './workspace.ts';
import { openWorktree, takeOver, type Worktree } from './worktree.ts';

/** What became of a plan. */
export interface LandingResult {
  commit: string | null;
  /** Where it was pushed to, as in `origin/main`. */
  pushed: string | null;
  /** What else to say, a sentence each. */
  notes: string[];
  /** Why the checkout is not at the commit, as a sentence. */
  elsewhere?: string;
}

/**
 * Carries out a plan: edits the working tree with --no-commit, or else commits in a worktree of its own, pushes, moves the
 * branch that the plan was made for, and then refreshes the files of this checkout that were not edited meanwhile.
 * @throws UserError; then the branch is where it was, but for a commit that could not be pushed.
 */
export async function land(workspace: Workspace, plan: DeliveryPlan): Promise<LandingResult> {
  const { context, git, branch, head, commitOptions, upstream } = workspace;
  const unchanged = { commit: null, pushed: null, notes: [] };
  if (!commitOptions.commit) {
    editInPlace(context.config.root, plan.edits);
    return unchanged;
  }
  if (plan.edits.length === 0 && !upstream?.pending.length) return unchanged;
  const worktree = await openWorktree(workspace);
  try {
    const ours = plan.edits.length > 0 ? await commitIn(worktree, workspace, plan) : head;
    if (!upstream) return { commit: ours, pushed: null, ...(await moveBranch(workspace, plan, ours)) };
    const now = await git.read(['rev-parse', `refs/heads/${branch}`]);
    if (now !== head) throw movedError(workspace, now);
    const commit = await pushCommit(workspace, worktree, upstream, ours).catch(async (error: unknown) => {
      if (!(error instanceof UserError) || error instanceof ReplayConflict) throw error;
      throw await refusedPush(error, upstream.name, () => moveBranch(workspace, plan, ours));
    });
    return { commit, pushed: upstream.name, ...(await moveBranch(workspace, plan, commit, upstream.name)) };
  } finally {
    worktree.remove();
  }
}

/** The error for a commit that could not be pushed: `move` brings it to the branch all the same, if that is where it was. */
async function refusedPush(cause: UserError, pushed: string, move: () => ReturnType<typeof moveBranch>) {
  try {
    const { notes } = await move();
    const said = [`It is committed here, but not pushed to ${pushed}: ${cause.message}`, ...notes].join('\n  ');
    const hint = cause.hint ?? 'git push, once that is settled; or git reset --keep HEAD~1 drops the commit.';
    return new UserError(said, { id: 'push-refused', hint, cause });
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const { message, hint } = error;
    return new UserError(`${message} It was not pushed to ${pushed} either: ${cause.message}`, { hint, cause });
  }
}

/** Throws a `UserError` where a file is not what the plan was made for any more: the registry was asked since. */
function editInPlace(root: string, edits: DeliveryPlan['edits']): void {
  const edited = edits
    .filter(({ service, before }) => readFileOrPipe(join(root, service.file)) !== before)
    .map(({ service }) => service.file);
  if (edited.length > 0)
    throw new UserError(`${fileList(edited)} was edited meanwhile, so nothing was changed.`, {
      hint: 'Run the command again: it starts from the new text.',
    });
  for (const { service, before, after } of edits) replaceUnedited(join(root, service.file), before, after);
}

/**
 * Commits the edits. The user's hooks, signature and configuration count, and hooks get their time.
 * @returns the commit, which the user's repository has by then, on no branch.
 */
async function commitIn(worktree: Worktree, workspace: Workspace, { edits, message }: DeliveryPlan) {
  const { folder, git: inside } = worktree;
  for (const { service, after } of edits) writeWhole(join(folder, workspace.prefix, service.file), after);
  const files = edits.map(({ service }) => `${workspace.prefix}${service.file}`);
  // A path that is relative leads to the user's top folder, and in another worktree to nothing: Git then runs no hook.
  const hooks = `core.hooksPath=${workspace.gitFiles.hooks}`;
  const how = ['-c', hooks, 'commit', '--quiet', '--only', '--message', message];
  const output = await inside.attempt([...how, '--', ...files.map(literalPath)], { timeout: 300_000 });
  if (output.exitCode !== 0)
    throw new UserError(`Nothing was committed, and everything is as it was; git commit says: ${gitReason(output)}`, {
      hint: 'Correct what a hook found, or see to what Git asks for, and run the command again.',
    });
  await takeOver(workspace.git, worktree);
  return inside.read(['rev-parse', 'HEAD']);
}

function movedError({ branch, head }: Workspace, now: string): UserError {
  return new UserError(
    `${branch} moved from ${shortSha(head)} to ${shortSha(now)} meanwhile, so nothing was changed.`,
    { hint: 'Run the command again: it starts from the new commit.' },
  );
}

/**
 * Moves the branch, if it is where it was when the plan was made, and has the checkout follow, if it is on that branch then.
 * An interruption does not end it half-way.
 */
async function moveBranch(
  workspace: Workspace,
  { edits, message }: DeliveryPlan,
  to: string,
  pushed?: string,
): Promise<Pick<LandingResult, 'notes' | 'elsewhere'>> {
  const { context, top, prefix, branch, head } = workspace;
  if (to === head) return { notes: [] };
  const exec = createExec({ env: context.config.childEnv, signal: new AbortController().signal });
  const git = gitIn(exec, top, 'committing');
  const ref = `refs/heads/${branch}`;
  const isCheckedOut = async () => (await git.attempt(['symbolic-ref', '--quiet', 'HEAD'])).stdout.trim() === ref;
  const cannotFollow = (why: string) =>
    new UserError(
      `${pushed ? `It was pushed to ${pushed} as ${shortSha(to)}, but this branch` : branch} could not follow: ${why}`,
      { hint: 'git stash, then git pull --rebase, then git stash pop.' },
    );
  const own = edits.map(({ service }) => `${prefix}${service.file}`);
  const others = (await filesChanged(git, head, to)).filter((file) => !own.includes(file));
  const inTheWay = others.length > 0 && (await isCheckedOut()) ? await editedFiles(git, others) : [];
  if (inTheWay.length > 0) throw cannotFollow(`your edits in ${fileList(inTheWay)} are in the way`);
  const moved = await git.attempt(['update-ref', '-m', `commit: ${message.split('\n')[0]}`, ref, to, head]);
  if (moved.exitCode !== 0) {
    const now = await git.read(['rev-parse', ref]);
    throw pushed === undefined ? movedError(workspace, now) : cannotFollow(`it is at ${shortSha(now)} by now`);
  }
  // Only now: a switch before that has nothing to do with the files here.
  if (await isCheckedOut()) return { notes: await refresh(git, workspace, { to, own, others }) };
  const elsewhere = `This checkout is not on ${branch} any more, so nothing follows the commit here.`;
  return { notes: [], elsewhere };
}

/**
 * Has files and index entries follow the branch. Those that were edited since the plan was made stay.
 * @returns what to say of them.
 */
async function refresh(
  git: Git,
  { top, head }: Workspace,
  { to, own, others }: { to: string; own: string[]; others: string[] },
): Promise<string[]> {
  const notes: string[] = [];
  const names = [head, to].flatMap((commit) => own.map((file) => `${commit}:${file}`));
  const texts = await blobsAt(git, names);
  for (const [index, file] of own.entries())
    if (!replaceUnedited(join(top, file), texts[index] ?? '', texts[own.length + index] ?? ''))
      notes.push(`${file} was edited meanwhile and stays as it is, without this change: git diff -- ${file}`);
  const differs = ['diff-index', '--cached', '--name-only', '-z', head];
  const staged = await readPaths(git, [...differs, '--', ...own.map(literalPath)]);
  const unstaged = own.filter((file) => !staged.includes(file)).map(literalPath);
  const steps = [
    ...(unstaged.length > 0 ? [['reset', '--quiet', to, '--', ...unstaged]] : []),
    ...(others.length > 0 ? [['read-tree', '-m', '-u', head, to]] : []),
  ];
  for (const step of steps) {
    const output = await git.attempt(step);
    if (output.exitCode !== 0)
      notes.push(`This checkout could not be refreshed: ${gitReason(output)}. git status shows what differs.`);
  }
  return notes;
}

/** Replaces a file that has the text of one commit, with whatever line ends Git gave it. Returns false for any other. */
function replaceUnedited(path: string, before: string, after: string): boolean {
  return [(text: string) => text, (text: string) => text.replaceAll('\n', '\r\n')].some((ends) => {
    let unedited = false;
    const onlyIf = () => {
      unedited = existsSync(path) && readFileSync(path, 'utf8') === ends(before);
      return unedited;
    };
    if (onlyIf()) writeWhole(path, ends(after), { onlyIf });
    return unedited;
  });
}
