import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { temporariesOf, temporaryName } from '../../lib/files.ts';
import { type Git, gitIn } from '../../lib/git/run.ts';
import { isRunning } from '../../lib/processes.ts';
import type { Workspace } from './workspace.ts';

/** A working tree of our own, at the commit that the plan is for. */
export interface Worktree {
  folder: string;
  git: Git;
  remove(): void;
}

/**
 * Checks a branch out into a folder of its own. It is a clone that borrows the objects of this repository and includes its
 * configuration, not a linked worktree: of those, Git forbids two on one branch, and one that a killed process leaves
 * behind would keep the user from `git switch`. Hooks find the branch that they expect, and nothing that happens in here
 * is seen in the user's repository before `takeOver`. The folder lies in the checkout, where programs of
 * node_modules and conditional includes (includeIf "gitdir:") are still found.
 */
export async function openWorktree(workspace: Workspace): Promise<Worktree> {
  const { context, top, git, head, branch = '' } = workspace;
  const base = join(dirname(context.config.stateDir), 'promotion');
  mkdirSync(dirname(base), { recursive: true });
  for (const { path, pid } of temporariesOf(base))
    if (!isRunning(pid, undefined)) rmSync(path, { recursive: true, force: true });
  const folder = temporaryName(base);
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    const [common, own] = (
      await git.read(['rev-parse', '--path-format=absolute', '--git-common-dir', '--git-dir'])
    ).split('\n');
    const included = [`${common}/config`, `${own}/config.worktree`].flatMap((file) => [
      '--config',
      `include.path=${file}`,
    ]);
    const as = ['--origin', 'platform-ops', '--config', 'remote.platform-ops.fetch=+refs/remotes/*:refs/remotes/*'];
    const how = ['--quiet', '--shared', '--no-checkout', '--template=', ...as, ...included, '--branch', branch];
    await git.read(['clone', ...how, '--', top, folder]);
    const inside = gitIn(context.exec, folder, 'committing');
    await inside.read(['reset', '--quiet', '--hard', head]);
    return { folder, git: inside, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

/** Copies the commits that were made in a worktree into the user's repository, where no branch has them yet. */
export async function takeOver(git: Git, { folder }: Worktree): Promise<void> {
  const how = ['--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-maintenance', '--no-recurse-submodules'];
  await git.read(['fetch', ...how, folder, 'HEAD']);
}
