import { lockForCommand } from '../../cluster/lock.ts';
import { registrations, sourceDifference } from '../../components/applications.ts';
import { followedCommit, followsRepository } from '../../components/git-source.ts';
import { isRefreshPending, requestRefresh } from '../../components/refresh.ts';
import { renderError } from '../../components/render-errors.ts';
import { coverImages } from '../../components/service-images.ts';
import type { Context } from '../../images/context.ts';
import { UserError } from '../../lib/errors.ts';
import { shortSha } from '../../lib/git/checkout.ts';
import { hasAncestor, readCommit } from '../../lib/git/commits.ts';
import { fetchCommit } from '../../lib/git/remote.ts';
import { type Application, applicationsNow, argocdNamespace, isAtCommit } from '../../repository/applications.ts';
import { isApplication } from '../../repository/registrations.ts';

interface TrackedCommit {
  sha: string;
  subject: string;
}

/** The commit that is followed, which a newer one may supersede meanwhile. */
export interface CommitTracker {
  /** The commit that was asked for. */
  readonly asked: TrackedCommit;
  /** The SHA of the one that is followed now, the last of all that were. */
  readonly current: string;
  readonly followed: ReadonlySet<string>;
  /** Whether it has the one that was asked for in its history; undefined where this clone lacks one of the two. */
  readonly contained: boolean | undefined;
  /** To be shown each Application that was looked at: what is new of it may show that the commit was superseded. */
  heed(application: Application): Promise<void>;
}

const fullSha = /^[0-9a-f]{40}([0-9a-f]{24})?$/;

/** Sets out to follow a commit, or the one that has superseded it by now. Throws what `prepareSync` throws. */
export async function trackCommit(context: Context, options: PrepareOptions): Promise<CommitTracker> {
  const { exec, config } = context;
  const { root, gitops } = config;
  const known = await context.checkout();
  const { head, subject } = known.head === options.commit ? known : await context.checkout('fresh');
  const here = { sha: head, subject };
  const asked = head === options.commit ? here : await findCommit(context, options.commit);
  const followed = new Set([asked.sha]);
  /** What an Application told is looked into once. */
  const lookedInto = new Map<string, Promise<void>>();

  const turnTo = async (newer: TrackedCommit) => {
    const contained = await hasAncestor(exec, root, newer.sha, asked.sha);
    const how = contained === undefined ? '' : contained ? ', which contains it' : ', which does not contain it';
    options.note(`! ${shortSha(tracker.current)} was superseded by ${shortSha(newer.sha)} ${newer.subject}${how}.`);
    Object.assign(tracker, { current: newer.sha, contained });
    followed.add(newer.sha);
    lookedInto.clear();
    await prepareSync(context, { ...options, commit: newer.sha });
  };
  /** Of this checkout, Git knows best. What was pushed, Argo CD is the first to see. */
  const lookInto = async (told: string) => {
    if (!gitops) {
      const now = await context.checkout('fresh');
      if (now.head !== tracker.current) await turnTo({ sha: now.head, subject: now.subject });
    } else if (fullSha.test(told) && !followed.has(told)) {
      const other = await findCommit(context, told);
      const isOlder = await hasAncestor(exec, root, tracker.current, told);
      if (!isOlder) await turnTo(other);
    }
  };
  const tracker: CommitTracker = {
    asked,
    current: asked.sha,
    followed,
    contained: true,
    async heed(application) {
      if (!followsRepository(config, application)) return;
      // The commit that was rendered, or why it could not be.
      const error = isRefreshPending(application) ? undefined : renderError(application);
      const { revision, revisions = [] } = application.status?.sync ?? {};
      // Of several sources, some have versions of charts in place of commits.
      for (const told of [revisions.length > 0 ? undefined : revision, error]) {
        if (!told || told === tracker.current) continue;
        const looking = lookedInto.get(told) ?? lookInto(told);
        lookedInto.set(told, looking);
        await looking;
      }
    },
  };
  if (!gitops && head !== asked.sha) await turnTo(here);
  else await prepareSync(context, options);
  return tracker;
}

/** A commit by its SHA. One that others pushed has to be fetched first; without a subject where it can't be had. */
async function findCommit({ exec, config }: Context, sha: string): Promise<TrackedCommit> {
  const { root, gitops } = config;
  const known = await readCommit(exec, root, sha);
  if (!known && gitops) await fetchCommit(exec, root, gitops.repoUrl, sha);
  return known ?? (gitops && (await readCommit(exec, root, sha))) ?? { sha, subject: '' };
}

interface PrepareOptions {
  /** The commit that is to be rendered. */
  commit: string;
  /** The names of those that are to render it; all where none are named. */
  wanted: readonly string[] | undefined;
  /** Seconds to wait for another command that is working on the cluster. */
  lockTimeoutSeconds: number;
  /** Tells what had to be done besides. */
  note: (text: string) => void;
}

/**
 * Has a commit rendered at once: sees to the images that it names, has the Applications follow what is checked out, and
 * asks Argo CD to look. Holds the cluster's lock meanwhile, so that nothing is registered into a cluster that is being
 * removed. Throws a `UserError` where there are no Applications.
 */
export async function prepareSync(context: Context, options: PrepareOptions): Promise<void> {
  const { commit, wanted, lockTimeoutSeconds, note } = options;
  const { config, signal } = context;
  const unlock = await lockForCommand(config, { name: 'sync', seconds: lockTimeoutSeconds, signal, say: note });
  try {
    const present = await applicationsNow(context);
    if (present.length === 0)
      throw new UserError(`Nothing is deployed in ${config.clusterName}: it has no Application.`, {
        hint: 'npm run up',
      });
    // First: a pod that is quicker than its image waits for the kubelet's next try, or has to be recreated.
    await coverImagesOrNote(context, note);
    const moved = await followCheckout(context, present, note);
    const asked = present.filter((application) => {
      const { metadata, status } = application;
      const at = followedCommit(config, application, commit);
      const isThere = at !== undefined && isAtCommit(application, at) && status?.sync?.status === 'Synced';
      return (wanted?.includes(metadata.name) ?? true) && (moved || config.gitops !== undefined || !isThere);
    });
    for (const application of asked) if (waitsToRetry(application, commit)) await endOperation(context, application);
    await requestRefresh(context, asked);
  } finally {
    unlock();
  }
}

async function coverImagesOrNote(context: Context, note: PrepareOptions['note']): Promise<void> {
  try {
    for (const changed of await coverImages(context)) note(`Made: ${changed}`);
  } catch (error) {
    // Values that can't be read are what Argo CD will say of them, too, and better: with the line.
    if (!(error instanceof UserError) || context.signal.aborted) throw error;
    note(`! ${error.message}`);
  }
}

/**
 * Registers the Applications again where they follow something else, as after a linked worktree got another branch.
 * @returns whether any did.
 */
async function followCheckout(
  context: Context,
  present: readonly Application[],
  note: PrepareOptions['note'],
): Promise<boolean> {
  const objects = await registrations(context);
  const reasons = objects.flatMap((wanted) => {
    if (!isApplication(wanted)) return [];
    const { metadata } = wanted;
    const found = present.find((one) => one.metadata.name === metadata.name);
    if (!found) return [`${metadata.name} is missing`];
    // What it was compared with last says nothing about how it is registered.
    const { status, ...itself } = found;
    const other = sourceDifference(itself as Application, wanted);
    return other === undefined ? [] : [`${metadata.name} ${other}`];
  });
  if (reasons.length === 0) return false;
  const kubectl = await context.kubectl();
  await kubectl.apply(objects);
  for (const reason of reasons) note(`Registered again: the Application ${reason}.`);
  return true;
}

/**
 * Whether a sync of another commit has failed, and only waits to be tried again: for up to three minutes, and as long as
 * it does, Argo CD begins no other (v3.5.7, autoSync: "another operation is in progress").
 */
function waitsToRetry({ operation, status }: Application, commit: string): boolean {
  const { phase, finishedAt, syncResult } = status?.operationState ?? {};
  return operation !== undefined && phase === 'Running' && finishedAt !== undefined && syncResult?.revision !== commit;
}

/** What `argocd app terminate-op` does. */
async function endOperation(context: Context, { metadata }: Application): Promise<void> {
  const kubectl = await context.kubectl();
  const patch = JSON.stringify({ status: { operationState: { phase: 'Terminating' } } });
  const where = ['--namespace', argocdNamespace, '--type=merge', '--patch', patch];
  await kubectl.run(['patch', 'applications.argoproj.io', metadata.name, ...where]);
}
