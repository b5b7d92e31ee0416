import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
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

/** A remote that no user has: two of one name would write to the same branches. */
const origin = 'checkout-of-platform-ops';
/**
 * Git trusts both folders by then. Where they belong to another user, the git that it starts there would want to hear of
 * their folders of commits by name, which are none that anybody would have set.
 */
const uploadPack = ['--upload-pack', "git -c safe.directory='*' upload-pack"];
/** In a worktree of our own no daemon is started, submodules are not there, and line ends are corrected without a complaint. */
const settings = ['core.fsmonitor=false', 'core.safecrlf=false', 'submodule.recurse=false'];
const cloning = ['clone', '--quiet', '--shared', '--no-checkout', '--template=', ...uploadPack, '--origin', origin];

/**
 * Checks a branch out into a folder of its own. It is a clone that borrows the objects of this repository and includes its
 * configuration, not a linked worktree: of those, Git forbids two on one branch, and one that a killed process leaves
 * behind would keep the user from `git switch`. Hooks find the branch that they expect, and nothing that happens in here
 * is seen in the user's repository before `takeOver`. The folder lies in the checkout, where programs of
 * node_modules and conditional includes (includeIf "gitdir:") are still found.
 */
export async function openWorktree(workspace: Workspace): Promise<Worktree> {
  const { context, top, git, head, branch = '', gitFiles } = workspace;
  const base = join(dirname(context.config.stateDir), 'promotion');
  mkdirSync(dirname(base), { recursive: true });
  for (const { path, pid } of temporariesOf(base)) if (!isRunning(pid, undefined)) removeFolder(path);
  const folder = temporaryName(base);
  const remove = () => removeFolder(folder);
  try {
    const set = [
      `remote.${origin}.fetch=+refs/remotes/*:refs/remotes/*`,
      ...gitFiles.configuration.map((file) => `include.path=${file}`),
    ];
    const as = ['--branch', branch, ...set.flatMap((setting) => ['--config', setting])];
    await git.read([...cloning, ...as, '--', top, folder]);
    const inside = gitIn(context.exec, folder, 'committing', [...settings, `safe.directory=${folder}`]);
    // What includeIf "gitdir:" adds to the configuration is not the same in another folder.
    const known = await configurationFiles(inside, folder);
    for (const file of await configurationFiles(gitIn(context.exec, top, 'committing'), top))
      if (!known.includes(file)) await inside.read(['config', '--add', 'include.path', file]);
    await inside.read(['reset', '--quiet', '--hard', head]);
    return { folder, git: inside, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

/** Also one that a hook made read-only, or still writes into, fails no command: a later one tries again. */
function removeFolder(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {}
}

/** The files that Git's configuration is read from in a folder. */
async function configurationFiles(git: Git, folder: string): Promise<string[]> {
  const told = (await git.read(['config', '--list', '--null', '--name-only', '--show-origin'])).split('\0');
  const files = told.flatMap((word) => (word.startsWith('file:') ? [resolve(folder, word.slice('file:'.length))] : []));
  return [...new Set(files)];
}

/** Copies the commits that were made in a worktree into the user's repository, where no branch has them yet. */
export async function takeOver(git: Git, { folder }: Worktree): Promise<void> {
  const how = ['--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-maintenance', '--no-recurse-submodules'];
  await git.read(['fetch', ...how, ...uploadPack, folder, 'HEAD']);
}
