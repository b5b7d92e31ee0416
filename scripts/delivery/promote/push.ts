import { setTimeout as sleep } from 'node:timers/promises';
import { Interrupted, UserError } from '../../lib/errors.ts';
import { shortSha } from '../../lib/git/checkout.ts';
import { isAncestor } from '../../lib/git/commits.ts';
import { type Git, gitReason } from '../../lib/git/run.ts';
import { filesOf, replay } from './replay.ts';

/** Where a branch is pushed to. */
export interface PushDestination {
  remote: string;
  /** As in `refs/heads/main`. */
  ref: string;
  /** What this clone knows of it, as in `refs/remotes/origin/main`. */
  tracking: string;
}

/** How often somebody else may be quicker. */
const maxTries = 10;
/** Milliseconds to wait at most before the second try: several that were refused together must not come back together. */
const retryDelayMs = 300;
const rejectedPush =
  /\[rejected\].*\((fetch first|non-fast-forward|stale info)\)|\[remote rejected\].*(lock|failed to update ref|incorrect old value|already exists)/;

/** As in `origin/main`. */
export function destinationName({ remote, ref }: PushDestination): string {
  return `${remote}/${ref.replace('refs/heads/', '')}`;
}

/** The upstream of a branch, or the one remote under the branch's own name. Throws a `UserError` where there is none. */
export async function destinationOf(git: Git, branch: string): Promise<PushDestination> {
  const format = '--format=%(upstream:remotename)%09%(upstream:remoteref)%09%(upstream)';
  const [remote = '', ref = '', tracking = ''] = (
    await git.read(['for-each-ref', format, `refs/heads/${branch}`])
  ).split('\t');
  if (remote !== '' && remote !== '.') return { remote, ref, tracking };
  const remotes = (await git.read(['remote'])).split('\n').filter((name) => name !== '');
  const [only] = remotes.includes('origin') ? ['origin'] : remotes.length === 1 ? remotes : [];
  if (only === undefined)
    throw new UserError(`The branch ${branch} has nowhere to be pushed to.`, {
      id: 'push-refused',
      hint: `git push --set-upstream <remote> ${branch}`,
    });
  return { remote: only, ref: `refs/heads/${branch}`, tracking: `refs/remotes/${only}/${branch}` };
}

/** Asks for the newest commit there; undefined for a branch that is not there yet. Throws a `UserError`. */
export async function fetchNewest(git: Git, { remote, ref, tracking }: PushDestination): Promise<string | undefined> {
  const fetched = await git.attempt(['fetch', '--quiet', '--no-tags', remote, `+${ref}:${tracking}`]);
  if (fetched.exitCode === 0) return git.read(['rev-parse', tracking]);
  if (/couldn't find remote ref/i.test(fetched.stderr)) return undefined;
  throw new UserError(`${remote} could not be asked what is there: ${gitReason(fetched)}`, {
    id: 'push-refused',
    hint: `git fetch ${remote} has to work without a question.`,
  });
}

/**
 * The commits of this branch that are not there yet, oldest first. Throws a `UserError` where one of them is no promotion:
 * to push it is not ours to decide. `files` are all that promotions touch.
 */
export async function pendingCommits(
  git: Git,
  upstream: string | undefined,
  files: ReadonlySet<string>,
  destination: PushDestination,
): Promise<string[]> {
  if (upstream === undefined) return [];
  const commits = (await git.read(['rev-list', '--reverse', '--topo-order', `${upstream}..HEAD`])).split('\n');
  const found = commits.filter((commit) => commit !== '');
  for (const commit of found) {
    const isMerge = (await git.read(['rev-list', '--no-walk', '--merges', commit])) !== '';
    if (!isMerge && (await filesOf(git, commit)).every((file) => files.has(file))) continue;
    const what = await git.read(['log', '-1', '--no-show-signature', '--format=%h (%s)', commit, '--']);
    throw new UserError(`${what} is not on ${destinationName(destination)} yet, and --push would take it along.`, {
      id: 'push-refused',
      hint: `git push it first, or promote without --push.`,
    });
  }
  return found;
}

/**
 * Pushes the branch. Where somebody was quicker, our commits are recreated on top of theirs, and pushed again; then the
 * branch follows. Returns what is there now. `git` works in the top folder. Throws a `UserError`, `ReplayConflict` where
 * what came in forbids it.
 */
export async function pushBranch(
  git: Git,
  {
    destination,
    upstream,
    signal,
  }: { destination: PushDestination; upstream: string | undefined; signal: AbortSignal },
): Promise<string> {
  const head = await git.read(['rev-parse', 'HEAD']);
  let theirs = upstream;
  for (let attempt = 1; attempt <= maxTries; attempt += 1) {
    const ours = await rebased(git, theirs, head);
    const pushed = await git.attempt(['push', '--porcelain', destination.remote, `${ours}:${destination.ref}`], {
      timeout: 300_000,
    });
    if (pushed.exitCode === 0) {
      if (ours !== head) await moveBranch(git, head, ours, destination);
      return ours;
    }
    if (!rejectedPush.test(pushed.stdout + pushed.stderr)) throw pushError(destination, gitReason(pushed));
    await sleep(Math.random() * retryDelayMs * attempt, undefined, { signal }).catch(() => {});
    if (signal.aborted) throw new Interrupted();
    theirs = await fetchNewest(git, destination);
  }
  throw pushError(destination, `somebody else was quicker ${maxTries} times`);
}

async function rebased(git: Git, theirs: string | undefined, head: string): Promise<string> {
  if (theirs === undefined) return head;
  if (await isAncestor(git, theirs, head)) return head;
  const commits = await git.read(['rev-list', '--reverse', '--topo-order', `${theirs}..${head}`]);
  return replay(
    git,
    theirs,
    commits.split('\n').filter((commit) => commit !== ''),
  );
}

/** Files with edits in them stay as they are; where the new commit has others in their place, the branch can't follow. */
async function moveBranch(git: Git, head: string, to: string, destination: PushDestination): Promise<void> {
  const moved = (await git.read(['rev-parse', 'HEAD'])) === head;
  const kept = moved ? await git.attempt(['reset', '--quiet', '--keep', to]) : undefined;
  if (kept?.exitCode === 0) return;
  throw new UserError(
    `It was pushed to ${destinationName(destination)} as ${shortSha(to)}, but this branch could not follow: ${
      kept ? gitReason(kept) : 'somebody committed meanwhile'
    }`,
    { hint: `git stash, then git pull --rebase, then git stash pop.` },
  );
}

function pushError(destination: PushDestination, reason: string): UserError {
  return new UserError(`It is committed here, but not pushed to ${destinationName(destination)}: ${reason}`, {
    id: 'push-refused',
    hint: 'git push, once that is settled; or git reset --keep HEAD~1 takes the commit back.',
  });
}
