import { UserError } from '../../lib/errors.ts';
import { filesChanged } from '../../lib/git/commits.ts';
import { type Git, gitReason, withoutLogins } from '../../lib/git/run.ts';

/** Where a branch is pushed to. */
export interface PushDestination {
  remote: string;
  /** As in `refs/heads/main`. */
  ref: string;
  /** What this clone knows of it, as in `refs/remotes/origin/main`. */
  tracking: string;
}

/** As in `origin/main`; a remote may be an address with a token in it. */
export function destinationName({ remote, ref }: PushDestination): string {
  return `${withoutLogins(remote)}/${ref.replace('refs/heads/', '')}`;
}

/** What Git says of a branch: where a `git push` goes, and where a `git pull` comes from. */
const branchFormat = ['push:remotename', 'push:remoteref', 'upstream:remotename', 'upstream:remoteref', 'upstream']
  .map((field) => `%(${field})`)
  .join('%09');

/**
 * Where `git push` brings a branch: `branch.<name>.pushRemote`, `remote.pushDefault`, or its upstream, be that of another
 * name; else the one remote, under the branch's own name.
 * @throws UserError where there is none.
 */
export async function destinationOf(git: Git, branch: string): Promise<PushDestination> {
  const told = await git.read(['for-each-ref', `--format=${branchFormat}`, `refs/heads/${branch}`]);
  const [pushRemote, pushRef, upstreamRemote, upstreamRef = '', upstream = ''] = told.split('\t');
  const remotes = (await git.read(['remote'])).split('\n').filter((name) => name !== '');
  const known = [pushRemote, upstreamRemote].find((name) => name && name !== '.');
  const remote = known ?? remotes.find((name) => name === 'origin' || remotes.length === 1);
  if (remote === undefined)
    throw new UserError(`The branch ${branch} has nowhere to be pushed to.`, {
      id: 'push-refused',
      hint: `git push --set-upstream <remote> ${branch}`,
    });
  const ownName = (await git.attempt(['config', 'push.default'])).stdout.trim() === 'current';
  if (remote === upstreamRemote && !pushRef && !ownName) return { remote, ref: upstreamRef, tracking: upstream };
  const ref = pushRef || `refs/heads/${branch}`;
  const name = ref.replace('refs/heads/', '');
  // An address has no remote-tracking branches.
  const tracking = remotes.includes(remote) ? `refs/remotes/${remote}/${name}` : `refs/platform-ops/${name}`;
  return { remote, ref, tracking };
}

/** Asks for the newest commit there; undefined for a branch that is not there yet. Throws a `UserError`. */
export async function fetchNewest(git: Git, { remote, ref, tracking }: PushDestination): Promise<string | undefined> {
  const fetched = await git.attempt(['fetch', '--quiet', '--no-tags', remote, `+${ref}:${tracking}`]);
  if (fetched.exitCode === 0) return git.read(['rev-parse', tracking]);
  if (/couldn't find remote ref/i.test(fetched.stderr)) return undefined;
  throw new UserError(`${withoutLogins(remote)} could not be asked what is there: ${gitReason(fetched)}`, {
    id: 'push-refused',
    hint: `git fetch ${withoutLogins(remote)} has to work without a question.`,
  });
}

interface PendingOptions {
  upstream: string | undefined;
  head: string;
  /** All files that promotions touch. */
  files: ReadonlySet<string>;
  destination: PushDestination;
}

/**
 * The commits of this branch that are not there yet, oldest first.
 * @throws UserError where one of them is no promotion: to push it is not ours to decide.
 */
export async function pendingCommits(
  git: Git,
  { upstream, head, files, destination }: PendingOptions,
): Promise<string[]> {
  const found = upstream === undefined ? [] : await commitsSince(git, upstream, head);
  for (const commit of found) {
    const isMerge = (await git.read(['rev-list', '--no-walk', '--merges', commit])) !== '';
    if (!isMerge && (await filesChanged(git, commit)).every((file) => files.has(file))) continue;
    const what = await git.read(['log', '-1', '--no-show-signature', '--format=%h (%s)', commit, '--']);
    throw new UserError(`${what} is not on ${destinationName(destination)} yet, and --push would take it along.`, {
      id: 'push-refused',
      hint: `git push it first, or promote without --push.`,
    });
  }
  return found;
}

/** The commits of `head` that `upstream` lacks, oldest first. */
export async function commitsSince(git: Git, upstream: string, head: string): Promise<string[]> {
  const commits = await git.read(['rev-list', '--reverse', '--topo-order', `${upstream}..${head}`]);
  return commits.split('\n').filter((commit) => commit !== '');
}
