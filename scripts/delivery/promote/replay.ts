import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Interrupted, UserError } from '../../lib/errors.ts';
import { writeWhole } from '../../lib/files.ts';
import { fileAt, shortSha } from '../../lib/git/checkout.ts';
import { filesChanged, hasAncestor } from '../../lib/git/commits.ts';
import { gitIn, gitReason, literalPath } from '../../lib/git/run.ts';
import { holdsIn, withNote, withoutHolds } from '../../repository/hold.ts';
import { type ImageValues, imageInValues, withImage } from '../../repository/image-values.ts';
import { sameImage } from './changes.ts';
import { commitsSince, fetchNewest, type PushDestination } from './push.ts';
import type { Workspace } from './workspace.ts';
import { takeOver, type Worktree } from './worktree.ts';

/** How often somebody else may be quicker. */
const maxTries = 10;
/** Milliseconds to wait at most before the second try: several that were refused together must not come back together. */
const retryDelayMs = 300;
const rejectedPush =
  /\[rejected\].*\((fetch first|non-fast-forward|stale info)\)|\[remote rejected\].*(cannot lock ref|failed to lock|failed to update ref|incorrect old value|already exists)/;

interface PushOptions {
  destination: PushDestination;
  /** What is there. */
  upstream: string | undefined;
  /** What is to be there. */
  head: string;
}

/**
 * Pushes a commit. Where somebody was quicker, ours are recreated on top of theirs, and pushed again.
 * @returns what is there now.
 * @throws UserError with the reason, `ReplayConflict` where what came in forbids it.
 */
export async function pushBranch(
  { git, context, top }: Workspace,
  worktree: Worktree,
  { destination, upstream, head }: PushOptions,
): Promise<string> {
  const { exec, signal } = context;
  const remote = gitIn(exec, top, 'remote');
  let theirs = upstream;
  for (let attempt = 1; attempt <= maxTries; attempt += 1) {
    const follows = theirs === undefined || (await hasAncestor(exec, top, head, theirs));
    const ours = follows ? head : await replay(worktree, theirs ?? '', await commitsSince(git, theirs ?? '', head));
    if (ours !== head) await takeOver(git, worktree);
    const pushed = await remote.attempt(['push', '--porcelain', destination.remote, `${ours}:${destination.ref}`], {
      timeout: 300_000,
    });
    if (pushed.exitCode === 0) return ours;
    if (!rejectedPush.test(pushed.stdout + pushed.stderr)) throw new UserError(gitReason(pushed));
    await sleep(Math.random() * retryDelayMs * attempt, undefined, { signal }).catch(() => {});
    if (signal.aborted) throw new Interrupted();
    theirs = await fetchNewest(remote, destination);
  }
  throw new UserError(`another push came first ${maxTries} times`);
}

/** Two people changed the same thing, and a machine must not decide between them. */
export class ReplayConflict extends UserError {
  override readonly name = 'ReplayConflict';
}

/**
 * Recreates promotions on top of another commit, in their order, as a rebase would, in a worktree of their own.
 * @returns the last commit; those whose change is there already are left out.
 * @throws ReplayConflict where one can't follow what is there.
 */
export async function replay(worktree: Worktree, onto: string, commits: readonly string[]): Promise<string> {
  const { git, folder } = worktree;
  await git.read(['reset', '--quiet', '--hard', onto]);
  for (const commit of commits) {
    const changed = [];
    for (const file of await filesChanged(git, commit)) {
      const [before, after, theirs] = await Promise.all(
        [`${commit}^`, commit, 'HEAD'].map((revision) => fileAt(git, revision, file)),
      );
      if (before === undefined || after === undefined || theirs === undefined)
        throw replayConflict(commit, `${file} was added or removed meanwhile`);
      const result = reapplied(before, after, theirs, file);
      if ('refusal' in result) throw replayConflict(commit, result.refusal);
      if (result.text === theirs) continue;
      writeWhole(join(folder, file), result.text);
      changed.push(literalPath(file));
    }
    // The hooks have seen this commit, and a rebase asks them no second time.
    const how = ['-c', 'core.hooksPath=/dev/null', 'commit', '--quiet', '--only', '--reuse-message', commit];
    if (changed.length > 0) await git.read([...how, '--', ...changed]);
  }
  return git.read(['rev-parse', 'HEAD']);
}

function replayConflict(commit: string, why: string): ReplayConflict {
  return new ReplayConflict(`${why}: ${shortSha(commit)} can't go behind that.`, {
    hint: 'git pull --rebase shows what came in. Look at it, and run the command again if it is still wanted.',
  });
}

/** A values file with somebody's change on top of somebody else's, or why that can't be. */
type Reapplied = { text: string } | { refusal: string };

interface ValuesChange {
  image: ImageValues;
  /** The image is another one than before. */
  moves: boolean;
  added: string[];
  lifted: string[];
}

/**
 * Does to `theirs` what was done between `before` and `after`: a promotion, a rollback or a release, each as its own kind
 * can stand behind what the others did meanwhile. A promotion comes after theirs and wins; never over a hold that was put
 * since, and a rollback never undoes more than it knew of.
 */
function reapplied(before: string, after: string, theirs: string, file: string): Reapplied {
  if (theirs === before) return { text: after };
  if (theirs === after) return { text: theirs };
  const was = imageInValues(before);
  const now = imageInValues(theirs);
  const change = changeBetween(before, after);
  if (!was || !now || !change || applyChange(change, before, file) !== after)
    return { refusal: `${file} was changed here and elsewhere in ways that can't be put together` };
  const unknown = holdNotes(theirs).filter((note) => !holdNotes(before).includes(note));
  if (change.added.length > 0 && !sameImage(was, now))
    return { refusal: `${file} was promoted to ${now.tag} meanwhile, which a rollback from ${was.tag} must not undo` };
  if (change.moves && change.added.length === 0 && unknown.length > 0)
    return { refusal: `${file} was put on hold meanwhile` };
  return { text: applyChange(change, theirs, file) };
}

function changeBetween(before: string, after: string): ValuesChange | undefined {
  const was = imageInValues(before);
  const image = imageInValues(after);
  if (!was || !image) return undefined;
  return {
    image,
    moves: !sameImage(was, image),
    added: holdNotes(after).filter((note) => !holdNotes(before).includes(note)),
    lifted: holdNotes(before).filter((note) => !holdNotes(after).includes(note)),
  };
}

function applyChange({ image, moves, added, lifted }: ValuesChange, text: string, file: string): string {
  const lighter = withoutHolds(text, lifted);
  return added.reduce(withNote, moves ? withImage(lighter, image, file) : lighter);
}

function holdNotes(text: string): string[] {
  return holdsIn(text).map(({ note }) => note);
}
