import { existsSync } from 'node:fs';
import { UserError } from '../../lib/errors.ts';
import { type Checkout, shortSha } from '../../lib/git/checkout.ts';
import { type Git, literal, reasonOf } from './git.ts';

/** What can be under way in a checkout: the file that says so, what it is called, and how it ends. */
const underWay = [
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
export async function assertSupported(git: Git, checkout: Checkout, files: readonly string[]): Promise<void> {
  await refuseHalfDone(git);
  if (checkout.branch === undefined)
    throw new UserError(`HEAD is detached at ${shortSha(checkout.head)}: a commit there would belong to no branch.`, {
      hint: 'git switch <branch>, as in git switch main.',
    });
  const staged = await paths(git, ['diff', '--cached', '--name-only', '--no-renames', '-z']);
  if (staged.length > 0)
    throw new UserError(`There are staged changes, which are somebody's next commit: ${listed(staged)}.`, {
      hint: 'git commit them, or take them back with git restore --staged.',
    });
  const status = await paths(git, ['status', '--porcelain', '-z', '--no-renames', '--', ...files.map(literal)]);
  const edited = status.map((line) => line.slice(3));
  if (edited.length > 0)
    throw new UserError(`There are edits that are not committed in ${listed(edited)}.`, {
      hint: 'git diff shows them: commit them first, or git stash.',
    });
  await refuseNobody(git);
}

async function refuseHalfDone(git: Git): Promise<void> {
  const names = underWay.flatMap(([name]) => ['--git-path', name]);
  const files = (await git.read(['rev-parse', '--path-format=absolute', ...names])).split('\n');
  const found = underWay.find((_, index) => existsSync(files[index] ?? ''));
  if (found) throw new UserError(`${found[1]} is under way in this checkout.`, { hint: found[2] });
}

async function refuseNobody(git: Git): Promise<void> {
  for (const who of ['GIT_AUTHOR_IDENT', 'GIT_COMMITTER_IDENT']) {
    const output = await git.attempt(['var', who]);
    if (output.exitCode === 0) continue;
    const reason = reasonOf(output).split('\n').at(-1)?.replace('fatal: ', '');
    throw new UserError(`Git does not know who commits: ${reason}.`, {
      hint: 'git config --global user.name "Your Name" && git config --global user.email you@example.com',
    });
  }
}

async function paths(git: Git, args: readonly string[]): Promise<string[]> {
  return (await git.read(args)).split('\0').filter((path) => path !== '');
}

function listed(files: readonly string[]): string {
  const named = files.slice(0, 3).join(', ');
  return files.length > 3 ? `${named} and ${files.length - 3} more` : named;
}
