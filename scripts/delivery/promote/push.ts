import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Interrupted, UserError } from '../../lib/errors.ts';
import { writeWhole } from '../../lib/files.ts';
import { shortSha } from '../../lib/git/checkout.ts';
import { blobsAt, filesChanged, hasAncestor } from '../../lib/git/commits.ts';
import { gitIn, gitReason, literalPath } from '../../lib/git/run.ts';
import { holdsIn, withNote, withoutHolds } from '../../repository/hold.ts';
import { imageInValues, sameImage, withImage } from '../../repository/image-values.ts';
import { commitsSince, fetchNewest, type Upstream } from './upstream.ts';
import type { Workspace } from './workspace.ts';
import { takeOver, type Worktree } from './worktree.ts';

/** Two people changed the same thing, and a machine must not decide between them. */
export class ReplayConflict extends UserError {
  override readonly name = 'ReplayConflict';
}

/** How often another push may come first. */
const maxTries = 10;
/** Milliseconds to wait at most before the second try: several that were refused together must not come back together. */
const retryDelayMs = 300;
const rejectedPush =
  /\[rejected\].*\((fetch first|non-fast-forward|stale info)\)|\[remote rejected\].*(cannot lock ref|failed to lock|failed to update ref|incorrect old value|already exists)/;

/**
 * Pushes a commit. Where another push came first, ours are recreated on top of it, and pushed again.
 * @returns what is there now.
 * @throws UserError with the reason, `ReplayConflict` where what came in forbids it.
 */
export async function pushCommit(
  { git, context: { exec, signal }, top }: Workspace,
  worktree: Worktree,
  { destination, commit }: Upstream,
  head: string,
): Promise<string> {
  const remote = gitIn(exec, top, 'remote');
  let theirs = commit;
  for (let attempt = 1; attempt <= maxTries; attempt += 1) {
    let ours = head;
    if (theirs !== undefined && !(await hasAncestor(exec, top, head, theirs))) {
      const commits = (await commitsSince(git, theirs, head)).map(({ sha }) => sha);
      ours = await replay(worktree, theirs, commits);
      await takeOver(git, worktree);
    }
    const args = ['push', '--porcelain', destination.remote, `${ours}:${destination.ref}`];
    const pushed = await remote.attempt(args, { timeout: 300_000 });
    if (pushed.exitCode === 0) return ours;
    if (!rejectedPush.test(pushed.stdout + pushed.stderr)) throw new UserError(gitReason(pushed));
    await sleep(Math.random() * retryDelayMs * attempt, undefined, { signal }).catch(() => {});
    if (signal.aborted) throw new Interrupted();
    theirs = await fetchNewest(remote, destination);
  }
  throw new UserError(`another push came first ${maxTries} times`);
}

/**
 * Recreates promotions on top of another commit, in their order, as a rebase would, in a worktree of their own.
 * @returns the last commit; those whose change is there already are left out.
 * @throws ReplayConflict where one can't follow what is there.
 */
async function replay({ git, folder }: Worktree, onto: string, commits: readonly string[]): Promise<string> {
  await git.read(['reset', '--quiet', '--hard', onto]);
  for (const commit of commits) {
    const changed = [];
    for (const file of await filesChanged(git, commit)) {
      const texts = await blobsAt(git, [`${commit}^:${file}`, `${commit}:${file}`, `HEAD:${file}`]);
      try {
        const text = reapplied(texts, file);
        if (text === texts[2]) continue;
        writeWhole(join(folder, file), text);
        changed.push(literalPath(file));
      } catch (error) {
        if (!(error instanceof ReplayConflict)) throw error;
        throw new ReplayConflict(`${error.message}: ${shortSha(commit)} can't be recreated on top of that.`, {
          hint: 'git pull --rebase shows what came in. Look at it, and run the command again if it is still wanted.',
        });
      }
    }
    // The hooks have seen this commit, and a rebase asks them no second time.
    const how = ['-c', 'core.hooksPath=/dev/null', 'commit', '--quiet', '--only', '--reuse-message', commit];
    if (changed.length > 0) await git.read([...how, '--', ...changed]);
  }
  return git.read(['rev-parse', 'HEAD']);
}

/**
 * Does to `theirs` what was done between `before` and `after`: a promotion, a rollback or a release, each as its own kind
 * can follow what the others did meanwhile. A promotion comes after theirs and wins; never over a hold that was put
 * since, and a rollback never reverts more than it knew of.
 * @throws ReplayConflict
 */
function reapplied([before, after, theirs]: readonly (string | undefined)[], file: string): string {
  if (before === undefined || after === undefined || theirs === undefined)
    throw new ReplayConflict(`${file} was added or removed meanwhile`);
  if (theirs === before || theirs === after) return after;
  const [was, image, now] = [before, after, theirs].map(imageInValues);
  const [known, kept, found] = [before, after, theirs].map((text) => holdsIn(text).map(({ note }) => note));
  const added = without(kept, known);
  const moves = was !== undefined && image !== undefined && !sameImage(was, image);
  const apply = (text: string) => {
    const lighter = withoutHolds(text, without(known, kept));
    return added.reduce(withNote, moves ? withImage(lighter, image, file) : lighter);
  };
  if (!was || !image || !now || apply(before) !== after)
    throw new ReplayConflict(`${file} was changed here and on the remote in ways that can't be put together`);
  if (added.length > 0 && !sameImage(was, now))
    throw new ReplayConflict(
      `${file} was promoted to ${now.tag} meanwhile, which a rollback from ${was.tag} must not revert`,
    );
  if (moves && added.length === 0 && without(found, known).length > 0)
    throw new ReplayConflict(`${file} was put on hold meanwhile`);
  return apply(theirs);
}

function without(all: readonly string[] = [], some: readonly string[] = []): string[] {
  return all.filter((one) => !some.includes(one));
}
