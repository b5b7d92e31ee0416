import { isAskedToLook } from '../../components/refresh.ts';
import { renderError } from '../../components/render-error.ts';
import type { Context } from '../../images/context.ts';
import { type Checkout, shortSha } from '../../lib/git/checkout.ts';
import { hasAncestor, readCommit } from '../../lib/git/commits.ts';
import { fetchCommit } from '../../lib/git/remote.ts';
import type { Application } from '../../repository/applications.ts';
import { type PrepareOptions, prepare } from './prepare.ts';

interface Commit {
  sha: string;
  subject: string;
}

/** The commit that is followed, which a newer one may take the place of while that goes on. */
export interface Course {
  /** The commit that was asked for. */
  asked: Commit;
  /** The one that is followed now, the last of all that were. */
  commit(): string;
  followed: ReadonlySet<string>;
  /** Whether it has the one that was asked for in its history; undefined where this clone lacks one of the two. */
  contained(): boolean | undefined;
  /** To be shown each Application that was looked at: one that tells something new may show that the commit was superseded. */
  heed(application: Application): Promise<void>;
}

const sha = /^[0-9a-f]{40}([0-9a-f]{24})?$/;

/** Sets out to follow a commit, or the one that has taken its place by now. Throws what `prepare` throws. */
export async function setOut(context: Context, options: PrepareOptions): Promise<Course> {
  const { exec, config } = context;
  const here = await checkoutOf(context, options.commit);
  const asked =
    here.head === options.commit
      ? { sha: here.head, subject: here.subject }
      : await commitHere(context, options.commit);
  const followed = new Set([asked.sha]);
  let current = asked.sha;
  let contained: boolean | undefined = true;
  /** What an Application told is looked into once. */
  const heard = new Map<string, Promise<void>>();

  const turnTo = async (newer: Commit) => {
    contained = await hasAncestor(exec, config.root, newer.sha, asked.sha);
    const how = contained === undefined ? '' : contained ? ', which contains it' : ', which does not contain it';
    options.note(`! ${shortSha(current)} was superseded by ${shortSha(newer.sha)} ${newer.subject}${how}.`);
    current = newer.sha;
    followed.add(current);
    heard.clear();
    await prepare(context, { ...options, commit: current });
  };
  /** Of this checkout, Git knows best. What is elsewhere, Argo CD is the first to hear of. */
  const lookAgain = async (told: string) => {
    if (!config.gitops) {
      const { head, subject } = await context.checkout('fresh');
      if (head !== current) await turnTo({ sha: head, subject });
    } else if (sha.test(told) && !followed.has(told)) {
      const other = await commitHere(context, told);
      const isOlder = await hasAncestor(exec, config.root, current, told);
      if (!isOlder) await turnTo(other);
    }
  };

  if (!config.gitops && here.head !== current) await turnTo({ sha: here.head, subject: here.subject });
  else await prepare(context, options);
  return {
    asked,
    commit: () => current,
    followed,
    contained: () => contained,
    async heed(application) {
      for (const told of newsOf(application)) {
        if (told === current) continue;
        const looking = heard.get(told) ?? lookAgain(told);
        heard.set(told, looking);
        await looking;
      }
    },
  };
}

/** The checkout as it is known, if it is at the commit, or as it is now. */
async function checkoutOf(context: Context, commit: string): Promise<Checkout> {
  const known = await context.checkout();
  return known.head === commit ? known : context.checkout('fresh');
}

/** What an Application tells of what was rendered for it: the commit, or why it could not be. */
function newsOf(application: Application): string[] {
  const { revision } = application.status?.sync ?? {};
  const error = isAskedToLook(application) ? undefined : renderError(application);
  return [revision, error].flatMap((told) => told || []);
}

/** A commit by its SHA. One that somebody else pushed has to be fetched first; without a subject where it can't be had. */
async function commitHere({ exec, config }: Context, commit: string): Promise<Commit> {
  const { root, gitops } = config;
  const known = await readCommit(exec, root, commit);
  if (known || !gitops) return known ?? { sha: commit, subject: '' };
  await fetchCommit(exec, root, gitops.repoUrl, commit);
  return (await readCommit(exec, root, commit)) ?? { sha: commit, subject: '' };
}
