import type { Context } from '../../images/context.ts';
import { UserError } from '../../lib/errors.ts';
import { shortSha } from '../../lib/git/checkout.ts';
import { hasAncestor } from '../../lib/git/commits.ts';
import { type Remote, remoteCommit } from '../../lib/git/remote.ts';

/** The only host that gets to see a GitHub token. */
const github = /^https:\/\/github\.com\//;

/**
 * The commit that GITOPS_REPO_URL is at, which Argo CD deploys. Throws a `UserError` where it can't be told, and where
 * what is checked out is not part of it: that has to be pushed first, and the hint says how.
 */
export async function pushedCommit(context: Context, note: (text: string) => void): Promise<string> {
  const { exec, config } = context;
  if (!config.gitops) throw new Error('there is no repository elsewhere');
  const { repoUrl, revision } = config.gitops;
  // Whatever was checked out, a commit that is named by its SHA is where it is.
  if (/^[0-9a-f]{40}$/.test(revision)) return revision;
  const remote = await ask(context, repoUrl, revision);
  const { head, subject, branch } = await context.checkout('fresh');
  const push = `git push ${await remoteName(context, repoUrl)} ${branch === revision ? revision : `HEAD:${revision}`}`;
  if (remote.state === 'absent')
    throw new UserError(`${repoUrl} has no ${revision} yet, so there is nothing to deploy.`, { hint: push });
  if (remote.state !== 'found') throw unanswered(repoUrl, remote);
  const { commit } = remote;
  if (commit === head) return commit;
  if (await hasAncestor(exec, config.root, commit, head)) {
    note(`! ${repoUrl} is ahead of what is checked out here: git pull gets it.`);
    return commit;
  }
  const isBehind = await hasAncestor(exec, config.root, head, commit);
  throw new UserError(
    `${shortSha(head)} ${subject} is not pushed yet: ${repoUrl} is at ${shortSha(commit)}, and deploys that.`,
    { hint: isBehind ? push : `git pull --rebase && ${push}` },
  );
}

/** As the person can, or else with the token that Argo CD reads it with. */
async function ask({ exec, credentials }: Context, url: string, revision: string): Promise<Remote> {
  const asPerson = await remoteCommit(exec, url, revision);
  if (asPerson.state !== 'refused' || !github.test(url)) return asPerson;
  const account = await credentials.account();
  return account
    ? remoteCommit(exec, url, revision, { username: account.username, password: account.token })
    : asPerson;
}

function unanswered(url: string, remote: Remote): UserError {
  return remote.state === 'unreachable'
    ? new UserError(`${url} does not answer: ${remote.reason}`, { hint: `git ls-remote ${url} shows the same.` })
    : new UserError(`${url} is private or does not exist, and neither Git here nor a token may read it.`, {
        hint: `Let git ls-remote ${url} work, or npm run credentials, with a token that has the scope repo.`,
      });
}

/** What the remote is called here, or its address. */
async function remoteName({ exec, config }: Context, url: string): Promise<string> {
  const { stdout } = await exec(['git', '-C', config.root, 'remote', '--verbose'], { nothrow: true, timeout: 20_000 });
  const plain = (address: string) => address.replace(/(\.git)?\/?$/, '');
  for (const line of stdout.split('\n')) {
    const [, name = '', address = ''] = /^(\S+)\t(.*) \(push\)$/.exec(line) ?? [];
    if (name !== '' && plain(address) === plain(url)) return name;
  }
  return url;
}
