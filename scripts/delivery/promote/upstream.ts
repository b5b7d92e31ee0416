import { UserError } from '../../lib/errors.ts';
import type { Exec } from '../../lib/exec.ts';
import { filesChanged } from '../../lib/git/commits.ts';
import { type Git, gitIn, gitReason, withoutLogins } from '../../lib/git/run.ts';

/** Where a branch is pushed to. */
interface PushDestination {
  remote: string;
  /** As in `refs/heads/main`. */
  ref: string;
  /** What this clone knows of it, as in `refs/remotes/origin/main`. */
  tracking: string;
}

/** A branch of another repository, and how ours differs from it. */
export interface Upstream {
  destination: PushDestination;
  /** As in `origin/main`. */
  name: string;
  /** The commit that is there; undefined for a branch that is not there yet. */
  commit: string | undefined;
  /** The newest commit that both have. */
  base: string;
  /** Our promotions that are not there yet, oldest first. */
  pending: string[];
}

/**
 * Fetches the branch that this one is pushed to.
 * @param files that promotions touch, from the top folder.
 * @throws UserError where it can't be fetched, or would get more than promotions: to push those is not ours to decide.
 */
export async function readUpstream(
  { context, git, top, head }: { context: { exec: Exec }; git: Git; top: string; head: string },
  branch: string,
  files: readonly string[],
): Promise<Upstream> {
  const destination = await destinationOf(git, branch);
  // A remote may be an address with a token in it.
  const name = `${withoutLogins(destination.remote)}/${destination.ref.replace('refs/heads/', '')}`;
  const commit = await fetchNewest(gitIn(context.exec, top, 'remote'), destination);
  const found = commit === undefined ? [] : await commitsSince(git, commit, head);
  for (const { sha, parents } of found) {
    if (parents.length === 1 && (await filesChanged(git, sha)).every((file) => files.includes(file))) continue;
    const what = await git.read(['log', '-1', '--no-show-signature', '--format=%h (%s)', sha, '--']);
    throw new UserError(`${what} is not on ${name} yet, and --push would take it along.`, {
      id: 'push-refused',
      hint: `git push it first, or promote without --push.`,
    });
  }
  // There is no merge among them, so they are one line.
  const base = found[0]?.parents[0] ?? head;
  return { destination, name, commit, base, pending: found.map(({ sha }) => sha) };
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
async function destinationOf(git: Git, branch: string): Promise<PushDestination> {
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
  throw new UserError(`Could not fetch from ${withoutLogins(remote)}: ${gitReason(fetched)}`, {
    id: 'push-refused',
    hint: `git fetch ${withoutLogins(remote)} has to work without a question.`,
  });
}

/** The commits of `head` that another commit lacks, oldest first. */
export async function commitsSince(
  git: Git,
  other: string,
  head: string,
): Promise<{ sha: string; parents: string[] }[]> {
  const lines = await git.read(['rev-list', '--reverse', '--topo-order', '--parents', `${other}..${head}`]);
  return lines.split('\n').flatMap((line) => {
    const [sha = '', ...parents] = line.split(' ');
    return sha === '' ? [] : [{ sha, parents }];
  });
}
