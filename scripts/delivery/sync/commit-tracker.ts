import { lockForCommand } from '../../cluster/lock.ts';
import { registrations, sourceDifference } from '../../components/applications.ts';
import { isRefreshPending, requestRefresh } from '../../components/refresh.ts';
import { renderError } from '../../components/render-errors.ts';
import { coverImages } from '../../components/service-images.ts';
import type { Context } from '../../images/context.ts';
import { UserError } from '../../lib/errors.ts';
import { type Checkout, shortSha } from '../../lib/git/checkout.ts';
import { hasAncestor, readCommit } from '../../lib/git/commits.ts';
import { fetchCommit } from '../../lib/git/remote.ts';
import { type Application, applicationsNow, argocdNamespace } from '../../repository/applications.ts';

interface TrackedCommit {
  sha: string;
  subject: string;
}

/** The commit that is followed, which a newer one may take the place of while that goes on. */
export interface CommitTracker {
  /** The commit that was asked for. */
  asked: TrackedCommit;
  /** The one that is followed now, the last of all that were. */
  commit(): string;
  followed: ReadonlySet<string>;
  /** Whether it has the one that was asked for in its history; undefined where this clone lacks one of the two. */
  contained(): boolean | undefined;
  /** To be shown each Application that was looked at: one that tells something new may show that the commit was superseded. */
  heed(application: Application): Promise<void>;
}

const fullSha = /^[0-9a-f]{40}([0-9a-f]{24})?$/;

/** Sets out to follow a commit, or the one that has taken its place by now. Throws what `prepare` throws. */
export async function trackCommit(context: Context, options: PrepareOptions): Promise<CommitTracker> {
  const { exec, config } = context;
  const here = await checkoutOf(context, options.commit);
  const asked =
    here.head === options.commit
      ? { sha: here.head, subject: here.subject }
      : await findCommit(context, options.commit);
  const followed = new Set([asked.sha]);
  let current = asked.sha;
  let contained: boolean | undefined = true;
  /** What an Application told is looked into once. */
  const heard = new Map<string, Promise<void>>();

  const turnTo = async (newer: TrackedCommit) => {
    contained = await hasAncestor(exec, config.root, newer.sha, asked.sha);
    const how = contained === undefined ? '' : contained ? ', which contains it' : ', which does not contain it';
    options.note(`! ${shortSha(current)} was superseded by ${shortSha(newer.sha)} ${newer.subject}${how}.`);
    current = newer.sha;
    followed.add(current);
    heard.clear();
    await prepareSync(context, { ...options, commit: current });
  };
  /** Of this checkout, Git knows best. What is elsewhere, Argo CD is the first to hear of. */
  const lookAgain = async (told: string) => {
    if (!config.gitops) {
      const { head, subject } = await context.checkout('fresh');
      if (head !== current) await turnTo({ sha: head, subject });
    } else if (fullSha.test(told) && !followed.has(told)) {
      const other = await findCommit(context, told);
      const isOlder = await hasAncestor(exec, config.root, current, told);
      if (!isOlder) await turnTo(other);
    }
  };

  if (!config.gitops && here.head !== current) await turnTo({ sha: here.head, subject: here.subject });
  else await prepareSync(context, options);
  return {
    asked,
    commit: () => current,
    followed,
    contained: () => contained,
    async heed(application) {
      for (const told of renderedRevisions(application)) {
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
function renderedRevisions(application: Application): string[] {
  const { revision } = application.status?.sync ?? {};
  const error = isRefreshPending(application) ? undefined : renderError(application);
  return [revision, error].flatMap((told) => told || []);
}

/** A commit by its SHA. One that somebody else pushed has to be fetched first; without a subject where it can't be had. */
async function findCommit({ exec, config }: Context, commit: string): Promise<TrackedCommit> {
  const { root, gitops } = config;
  const known = await readCommit(exec, root, commit);
  if (known || !gitops) return known ?? { sha: commit, subject: '' };
  await fetchCommit(exec, root, gitops.repoUrl, commit);
  return (await readCommit(exec, root, commit)) ?? { sha: commit, subject: '' };
}

interface PrepareOptions {
  /** The commit that is to be rendered. */
  commit: string;
  /** The names of those that are to render it; all where none are named. */
  wanted: readonly string[] | undefined;
  /** Seconds to wait for another command that is working on the cluster. */
  lockTimeoutSeconds: number;
  /** Tells a person what had to be done besides. */
  note: (text: string) => void;
}

/**
 * Has a commit rendered at once: sees to the images that it names, has the Applications follow what is checked out, and
 * asks Argo CD to look. Holds the cluster's lock meanwhile, so that nothing is registered into a cluster that is being
 * taken away. Throws a `UserError` where there are none.
 */
export async function prepareSync(context: Context, options: PrepareOptions): Promise<void> {
  const { commit, wanted, lockTimeoutSeconds, note } = options;
  const unlock = await lockForCommand(context.config, {
    name: 'sync',
    seconds: lockTimeoutSeconds,
    signal: context.signal,
    say: note,
  });
  try {
    const present = await applicationsPresent(context);
    // First: a pod that is quicker than its image waits for the kubelet's next try, or has to be recreated.
    await coverImagesOrNote(context, note);
    const moved = await followCheckout(context, present, note);
    const behind = ({ status }: Application) =>
      moved ||
      context.config.gitops !== undefined ||
      status?.sync?.revision !== commit ||
      status.sync.status !== 'Synced';
    const asked = present.filter(
      (application) => (wanted?.includes(application.metadata.name) ?? true) && behind(application),
    );
    for (const application of asked) if (waitsToRetry(application, commit)) await endOperation(context, application);
    await requestRefresh(context, asked);
  } finally {
    unlock();
  }
}

async function applicationsPresent(context: Context): Promise<Application[]> {
  const present = await applicationsNow(context);
  if (present.length > 0) return present;
  throw new UserError(`Nothing is deployed in ${context.config.clusterName}: it has no Application.`, {
    hint: 'npm run up',
  });
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

/** Registers the Applications again where they follow something else, as after a linked worktree got another branch. */
async function followCheckout(
  context: Context,
  present: readonly Application[],
  note: PrepareOptions['note'],
): Promise<boolean> {
  const objects = await registrations(context);
  const reasons = objects.flatMap(({ kind, metadata, spec }) => {
    if (kind !== 'Application') return [];
    const found = present.find((one) => one.metadata.name === metadata.name);
    if (!found) return [`${metadata.name} is missing`];
    const { status, ...itself } = found;
    const other = sourceDifference(itself as Application, (spec as Application['spec']).source);
    return other === undefined ? [] : [`${metadata.name} ${other}`];
  });
  if (reasons.length === 0) return false;
  const kubectl = await context.kubectl();
  await kubectl.apply(objects);
  for (const reason of reasons) note(`Registered anew: the Application ${reason}.`);
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
