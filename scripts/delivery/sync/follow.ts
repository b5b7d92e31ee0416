import { notReadyReason, registrations } from '../../components/applications.ts';
import { renderFaults } from '../../components/render-errors.ts';
import { unscraped } from '../../components/services.ts';
import type { Context } from '../../images/context.ts';
import type { KubeEvent } from '../../kubernetes/types.ts';
import { type Blocker, waitForReady } from '../../kubernetes/waiting/ready.ts';
import { isReady } from '../../kubernetes/workloads.ts';
import { Interrupted, UserError } from '../../lib/errors.ts';
import { shortSha } from '../../lib/git/checkout.ts';
import { joinErrors } from '../../lib/tasks.ts';
import type { Progress } from '../../lib/terminal/progress.ts';
import { type Application, servicesNamespace } from '../../repository/applications.ts';
import { type CommitTracker, trackCommit } from './commit-tracker.ts';
import { createWarnings, rolloutFaults, syncFaults } from './faults.ts';
import { createReport, createStageTimes, type RolloutReport, syncedObjects } from './report.ts';
import {
  type ApplicationState,
  askNewPods,
  createObserver,
  type IngressAnswer,
  isCompared,
  lastSyncedCommit,
  notSyncedReason,
  type Rollout,
  rolloutOf,
} from './rollout.ts';

interface FollowOptions {
  /** The full SHA of the commit: what is checked out, or with GITOPS_REPO_URL what was pushed. */
  commit: string;
  /** The names of the Applications that are waited for; all where none are named. */
  applications?: readonly string[];
  progress: Progress;
  /** When it began, in milliseconds of `performance.now()`. Default: now. */
  since?: number;
  /** Seconds to wait for another command that is working on the cluster. Default: as long as a step may take. */
  lockTimeoutSeconds?: number;
  /** Told of each Application as soon as it is done, also where another one fails. */
  onReport?: (report: RolloutReport) => void;
}

/**
 * Has Argo CD look at once, waits until the commit runs in every Application, and returns what became of it in each. A
 * commit that takes its place meanwhile is followed in its stead. Changes nothing but what the commit needs: stand-ins that
 * the node lacks, Applications that follow something else; for that it takes the cluster's lock, which the caller must
 * not hold. Throws a `UserError` with the reason where it can't be rendered, rolls out badly, or takes too long.
 */
export async function followCommit(context: Context, options: FollowOptions): Promise<RolloutReport[]> {
  const { commit, applications, progress, since = performance.now() } = options;
  const { lockTimeoutSeconds = context.timeout / 1000, onReport } = options;
  const title = shortSha(commit);
  const note = (text: string) => progress.note(text);
  progress.start(title);
  const seconds = () => Math.round(performance.now() - since) / 1000;
  try {
    const course = await trackCommit(context, { commit, wanted: applications, lockTimeoutSeconds, note });
    const names = applications ?? (await registeredNames(context));
    const following = { course, lookout: createObserver(context), since, note };
    const results = await Promise.allSettled(
      names.map(async (name) => {
        const report = await followApplication(context, name, following);
        onReport?.(report);
        return report;
      }),
    );
    throwFailures(names, results);
    progress.done(shortSha(course.commit()), seconds(), course.commit() === commit ? course.asked.subject : undefined);
    return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  } catch (error) {
    if (!(error instanceof Interrupted)) progress.failed(title, seconds());
    throw error;
  }
}

/** The names of the Applications that `argocd/` registers. */
export async function registeredNames(context: Context): Promise<string[]> {
  const registered = (await registrations(context)).filter(({ kind }) => kind === 'Application');
  return registered.map(({ metadata }) => metadata.name);
}

/** A bug or an interruption as it is; of what was expected all that went wrong, once where it is the same for several. */
function throwFailures(names: readonly string[], results: readonly PromiseSettledResult<RolloutReport>[]): void {
  const told = new Map<string, { error: UserError; others: string[] }>();
  for (const [index, result] of results.entries()) {
    if (result.status === 'fulfilled') continue;
    const [name = '', error] = [names[index], result.reason as unknown];
    if (!(error instanceof UserError)) throw error;
    const what = error.message.replaceAll(name, '');
    const known = told.get(what);
    if (known) known.others.push(name);
    else told.set(what, { error, others: [] });
  }
  const errors = [...told.values()].map(({ error, others }) => withOthers(error, others));
  if (errors.length > 0) throw errors.length === 1 ? errors[0] : joinErrors(errors);
}

function withOthers(error: UserError, others: readonly string[]): UserError {
  if (others.length === 0) return error;
  const { message, hint, exitCode } = error;
  return new UserError(`${message}\n  The same goes for ${others.join(' and ')}.`, {
    ...(hint !== undefined && { hint }),
    exitCode,
    cause: error,
  });
}

interface ApplicationFollowOptions {
  course: CommitTracker;
  /** Looks at all Applications. */
  lookout: () => Promise<ApplicationState[]>;
  /** When it began, in milliseconds of `performance.now()`. */
  since: number;
  /** Tells a person what will perhaps go wrong, while it goes on. */
  note: (text: string) => void;
}

/** Milliseconds that a pod may take before its events are asked for. */
const settleMs = 3000;

/**
 * Waits until the followed commit runs in one Application. Throws a `UserError` with the reason where it can't be
 * rendered, is refused, or its pods don't get ready.
 */
async function followApplication(
  context: Context,
  name: string,
  following: ApplicationFollowOptions,
): Promise<RolloutReport> {
  const { course, lookout, since, note } = following;
  const marks = createStageTimes(since);
  const warn = createWarnings(note);
  /** What every operation of the followed commits did: Argo CD tells of its last alone, which may repeat a part of one. */
  const objects = new Set<string>();
  let marked = course.commit();
  let before: string | undefined;
  let sight: ApplicationState | undefined;
  let rollout: Rollout | undefined;
  let answer: IngressAnswer | undefined;

  const look = async (): Promise<string | undefined> => {
    // What can't be seen now is not judged by what was seen before.
    [sight, rollout] = [undefined, undefined];
    sight = (await lookout()).find(({ application }) => application.metadata.name === name);
    if (!sight) return `Application ${name} is missing`;
    const { application } = sight;
    if (isChanged()) for (const object of syncedObjects(application)) objects.add(object);
    else before ??= lastSyncedCommit(application);
    await course.heed(application);
    const commit = course.commit();
    if (commit !== marked) {
      marks.clear();
      answer = undefined;
    }
    marked = commit;
    if (!isCompared(application, await applicationSource(context, name), commit))
      return `Application ${name} is ${notReadyReason(application, commit) ?? 'not compared yet with its new source'}`;
    marks.reach('seen');
    const missing = notSyncedReason(application, commit);
    if (missing !== undefined) return missing;
    marks.reach('synced');
    rollout = rolloutOf(sight, application.status?.operationState?.startedAt);
    const rolling = rollout && (await unrolled(rollout));
    if (rolling !== undefined) return rolling;
    const unfit = notReadyReason(application, commit);
    return unfit === undefined ? undefined : `Application ${name} is ${unfit}`;
  };

  /** What new pods still miss; of pods that an earlier commit made, only that they are ready. */
  const unrolled = async (rolling: Rollout): Promise<string | undefined> => {
    const isNew = isChanged() && rolling.fresh.length > 0;
    if (isNew && rolling.fresh.some(isReady)) marks.reach('ready');
    if (rolling.missing !== undefined) return `Deployment ${servicesNamespace}/${name}: ${rolling.missing}`;
    if (!isNew) return undefined;
    const [answering, unseen] = await Promise.all([
      answer ? { answer } : askNewPods(context, name, rolling),
      unscraped(context, rolling.fresh),
    ]);
    answer = answering.answer;
    if (answer) marks.reach('answering');
    if (unseen === undefined) marks.reach('scraped');
    return ('missing' in answering ? answering.missing : undefined) ?? unseen;
  };

  const isChanged = () => sight !== undefined && course.followed.has(lastSyncedCommit(sight.application) ?? '');

  const faults = async (): Promise<Blocker[]> => {
    if (!sight) return [];
    const { application, deployment } = sight;
    const found = [
      ...renderFaults(context, [application], course.commit()),
      ...syncFaults(context, application, course.followed),
    ];
    if (!deployment || !rollout) return found;
    const events = await eventsOf(context, rollout);
    for (const pod of rollout.fresh) warn(pod, events);
    const commit = lastSyncedCommit(application) ?? course.commit();
    return [...found, ...rolloutFaults(context, application, rollout, { deployment, events, commit })];
  };

  await waitForReady(context, { look, faults, hint: 'npm run status shows what there is; npm run sync looks again.' });
  if (!sight) throw new Error('waited for an Application without seeing it');
  const { application } = sight;
  const seen = { application, rollout, answer, before, objects: [...objects] };
  return createReport(context, { ...seen, course, changed: isChanged(), seconds: marks.seconds() });
}

/** The source that an Application should be rendered from. */
async function applicationSource(context: Context, name: string): Promise<Application['spec']['source']> {
  const all = (await registrations(context)) as Application[];
  const wanted = all.find(({ kind, metadata }) => kind === 'Application' && metadata.name === name);
  if (!wanted) throw new Error(`there is no Application ${name} in argocd/`);
  return wanted.spec.source;
}

async function eventsOf(context: Context, { fresh }: Rollout): Promise<KubeEvent[]> {
  const isSlow = ({ metadata }: { metadata: { creationTimestamp?: string } }) =>
    Date.now() - Date.parse(metadata.creationTimestamp ?? '') > settleMs;
  if (!fresh.some((pod) => !isReady(pod) && isSlow(pod))) return [];
  // Judging without them is better than not at all.
  return context
    .api()
    .list<KubeEvent>('v1', 'Event', servicesNamespace)
    .catch(() => []);
}
