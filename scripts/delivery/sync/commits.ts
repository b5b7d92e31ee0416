import { setTimeout as sleep } from 'node:timers/promises';
import { githubUrl } from '../../config/settings.ts';
import type { Context } from '../../images/context.ts';
import { withoutAnswer } from '../../kubernetes/api/api.ts';
import { Interrupted, UserError } from '../../lib/errors.ts';
import { shortSha } from '../../lib/git/checkout.ts';
import { hasAncestor, readCommit } from '../../lib/git/commits.ts';
import { type Remote, remoteCommit } from '../../lib/git/remote.ts';
import { gitIn } from '../../lib/git/run.ts';
import { type Application, applicationsNow } from '../../repository/applications.ts';

/** Milliseconds between two looks: at HEAD, which is a short process of git, and at what Argo CD deploys from GITOPS_REPO_URL. */
const intervalMs = { head: 500, elsewhere: 2000 };

/**
 * Waits, for however long, until another commit is checked out than `head`; with GITOPS_REPO_URL also until Argo CD is at
 * another one than `deployed`. Returns when that was, in milliseconds of `performance.now()`: a commit tells the second
 * in which it was made. Throws `Interrupted` alone.
 */
export async function waitForNewCommit(
  context: Context,
  head: string,
  deployed: string,
  every = intervalMs,
): Promise<number> {
  const { exec, config, signal } = context;
  let askedElsewhere = performance.now();
  for (let before = performance.now(); ; ) {
    await sleep(every.head, undefined, { signal }).catch(() => {});
    if (signal.aborted) throw new Interrupted();
    const now = performance.now();
    const commit = await readCommit(exec, config.root, 'HEAD');
    if (commit && commit.sha !== head) return Math.max(before, now - (Date.now() - commit.committedAt));
    if (config.gitops && now - askedElsewhere >= every.elsewhere) {
      askedElsewhere = now;
      if ((await renderedCommits(context)).some((revision) => revision !== deployed)) return now;
    }
    before = now;
  }
}

/** The commits that Argo CD rendered, as far as it can tell. */
async function renderedCommits(context: Context): Promise<string[]> {
  // A cluster that is away may come back.
  const all = await applicationsNow(context).catch(withoutAnswer<Application[]>([]));
  return all.flatMap(({ status }) => status?.sync?.revision?.match(/^[0-9a-f]{40,64}$/)?.[0] ?? []);
}

/**
 * The commit that GITOPS_REPO_URL is at, which Argo CD deploys. Throws a `UserError` where it can't be told, and where
 * what is checked out is not part of it: that has to be pushed first, and the hint says how.
 */
export async function pushedCommit(context: Context, note: (text: string) => void): Promise<string> {
  const { exec, config } = context;
  if (!config.gitops) throw new Error('GITOPS_REPO_URL is not set');
  const { repoUrl, revision } = config.gitops;
  // Whatever was checked out, a commit that is named by its SHA is where it is.
  if (/^[0-9a-f]{40}$/.test(revision)) return revision;
  const remote = await askRemote(context, repoUrl, revision);
  const { head, subject, branch } = await context.checkout('fresh');
  const push = `git push ${await remoteName(context, repoUrl)} ${branch === revision ? revision : `HEAD:${revision}`}`;
  if (remote.state === 'absent')
    throw new UserError(`${repoUrl} has no ${revision} yet, so there is nothing to deploy.`, {
      id: 'not-pushed',
      hint: push,
    });
  if (remote.state !== 'found') throw remoteError(repoUrl, remote);
  const { commit } = remote;
  if (commit === head) return commit;
  if (await hasAncestor(exec, config.root, commit, head)) {
    note(`! ${repoUrl} is ahead of what is checked out here: git pull gets it.`);
    return commit;
  }
  const isBehind = await hasAncestor(exec, config.root, head, commit);
  throw new UserError(
    `${shortSha(head)} ${subject} is not pushed yet: ${repoUrl} is at ${shortSha(commit)}, and deploys that.`,
    { id: 'not-pushed', hint: isBehind ? push : `git pull --rebase && ${push}` },
  );
}

/** As the person can, or else with the token that Argo CD reads it with. */
async function askRemote({ exec, config, credentials }: Context, url: string, revision: string): Promise<Remote> {
  const asPerson = await remoteCommit(exec, config.root, url, revision);
  if (asPerson.state !== 'refused' || !githubUrl.test(url)) return asPerson;
  const account = await credentials.account();
  return account
    ? remoteCommit(exec, config.root, url, revision, { username: account.username, password: account.token })
    : asPerson;
}

function remoteError(url: string, remote: Remote): UserError {
  return remote.state === 'unreachable'
    ? new UserError(`${url} does not answer: ${remote.reason}`, { hint: `git ls-remote ${url} shows the same.` })
    : new UserError(`${url} is private or does not exist, and neither Git here nor a token may read it.`, {
        id: 'repository-private',
        hint: `Let git ls-remote ${url} work, or npm run credentials, with a token that has the scope repo.`,
      });
}

/** What the remote is called here, or its address. */
async function remoteName({ exec, config }: Context, url: string): Promise<string> {
  const { stdout } = await gitIn(exec, config.root, 'reading').attempt(['remote', '--verbose']);
  const plain = (address: string) => address.replace(/(\.git)?\/?$/, '');
  for (const line of stdout.split('\n')) {
    const [, name = '', address = ''] = /^(\S+)\t(.*) \(push\)$/.exec(line) ?? [];
    if (name !== '' && plain(address) === plain(url)) return name;
  }
  return url;
}
