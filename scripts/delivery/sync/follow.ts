import { notReadyReason, registrations } from '../../components/applications.ts';
import { followedCommit } from '../../components/git-source.ts';
import { renderFaults } from '../../components/render-errors.ts';
import { isMonitored, unscraped } from '../../components/services.ts';
import type { Context } from '../../images/context.ts';
import type { KubeEvent, Pod } from '../../kubernetes/types.ts';
import { type Blocker, waitForReady } from '../../kubernetes/waiting/ready.ts';
import { isReady } from '../../kubernetes/workloads.ts';
import { Interrupted } from '../../lib/errors.ts';
import { shortSha } from '../../lib/git/checkout.ts';
import { assertNoFailures, runGraph } from '../../lib/tasks.ts';
import type { Progress } from '../../lib/terminal/progress.ts';
import type { Application } from '../../repository/applications.ts';
import { isApplication } from '../../repository/registrations.ts';
import { type CommitTracker, trackCommit } from './commit-tracker.ts';
import { createWarnings, rolloutFaults, syncFaults } from './faults.ts';
import { createReport, type RolloutReport, syncedObjects } from './report.ts';
import {
  type ApplicationState,
  askNewPods,
  createObserver,
  type IngressAnswer,
  lastSyncedCommit,
  type Stage,
  type Standing,
  standingOf,
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
  onReport: (report: RolloutReport) => void;
}

/**
 * Has Argo CD look at once, waits until the commit runs in every Application, and reports what became of it in each. A
 * commit that supersedes it meanwhile is followed from then on. Changes nothing but what the commit needs: stubs that
 * the node lacks, Applications that follow something else; for that it takes the cluster's lock, which the caller must
 * not hold. Throws a `UserError` with the reason where it can't be rendered, rolls out badly, or takes too long.
 */
export async function followCommit(context: Context, options: FollowOptions): Promise<void> {
  const { commit, applications, progress, since = performance.now() } = options;
  const { lockTimeoutSeconds = context.timeout / 1000, onReport } = options;
  const title = shortSha(commit);
  const note = (text: string) => progress.note(text);
  progress.start(title);
  const seconds = () => Math.round(performance.now() - since) / 1000;
  try {
    const tracker = await trackCommit(context, { commit, wanted: applications, lockTimeoutSeconds, note });
    const names = applications ?? (await registeredNames(context));
    const observe = createObserver(context);
    const tasks = names.map((name) => ({
      name,
      needs: [],
      run: async () => onReport(await followApplication(context, name, { tracker, observe, seconds, note })),
    }));
    assertNoFailures(await runGraph(tasks));
    const { current, asked } = tracker;
    progress.done(shortSha(current), seconds(), current === commit ? asked.subject : undefined);
  } catch (error) {
    if (!(error instanceof Interrupted)) progress.failed(title, seconds());
    throw error;
  }
}

/** The names of the Applications that `argocd/` registers. */
export async function registeredNames(context: Context): Promise<string[]> {
  return (await registeredApplications(context)).map(({ metadata }) => metadata.name);
}

async function registeredApplications(context: Context): Promise<Application[]> {
  return (await registrations(context)).filter(isApplication);
}

interface ApplicationOptions {
  tracker: CommitTracker;
  /** Looks at all Applications. */
  observe: () => Promise<ApplicationState[]>;
  /** How long it took so far. */
  seconds: () => number;
  /** Tells what will perhaps go wrong, while it goes on. */
  note: (text: string) => void;
}

/**
 * Waits until the followed commit runs in one Application. Throws a `UserError` with the reason where it can't be
 * rendered, is refused, or its pods don't get ready.
 */
async function followApplication(
  context: Context,
  name: string,
  { tracker, observe, seconds, note }: ApplicationOptions,
): Promise<RolloutReport> {
  const warn = createWarnings(note);
  /** What every operation of the followed commits did: Argo CD tells of its last alone, which may repeat a part of one. */
  const objects = new Set<string>();
  let before: string | undefined;
  let commit = tracker.current;
  /** When each stage was first seen to be reached. */
  const times = new Map<Stage, number>();
  let answer: IngressAnswer | undefined;
  /** As it was registered for the commit: what is written into its file since does not count. */
  let registered: Application | undefined;
  let seen: { state: ApplicationState; standing: Standing; changed: boolean } | undefined;

  const reach = (stage: Stage) => void (times.has(stage) || times.set(stage, seconds()));
  const look = async (): Promise<string | undefined> => {
    // What can't be seen now is not judged by what was seen before.
    seen = undefined;
    const state = (await observe()).find(({ application }) => application.metadata.name === name);
    if (!state) return `Application ${name} is missing`;
    const { application } = state;
    await tracker.heed(application);
    const changed = tracker.followed.has(lastSyncedCommit(application) ?? '');
    if (changed) for (const object of syncedObjects(application)) objects.add(object);
    else before ??= lastSyncedCommit(application);
    if (tracker.current !== commit) {
      commit = tracker.current;
      times.clear();
      [answer, registered] = [undefined, undefined];
    }
    registered ??= (await registeredApplications(context)).find(({ metadata }) => metadata.name === name);
    if (!registered) throw new Error(`there is no Application ${name} in argocd/`);
    const expected = followedCommit(context.config, registered, commit);
    const standing = standingOf(state, { commit: expected, wanted: registered, changed });
    seen = { state, standing, changed };
    standing.reached.forEach(reach);
    const missing = standing.missing ?? (await unproven(standing));
    if (missing !== undefined) return missing;
    const unhealthy = notReadyReason(application, expected);
    return unhealthy && `Application ${name} is ${unhealthy}`;
  };

  /** What new pods still have to prove: that they answer, and that Prometheus scrapes them. */
  const unproven = async ({ proving, rollout }: Standing): Promise<string | undefined> => {
    if (proving.length === 0 || !rollout) return undefined;
    const [answering, unseen] = await Promise.all([
      answer ?? askNewPods(context, name, rollout),
      unscraped(context, proving.filter(isMonitored)),
    ]);
    if (unseen === undefined) reach('scraped');
    if (typeof answering === 'string') return answering;
    answer = answering;
    if (answer) reach('answering');
    return unseen;
  };

  const faults = async (): Promise<Blocker[]> => {
    if (!seen) return [];
    const { application, deployment } = seen.state;
    const { rollout } = seen.standing;
    const found = [
      ...renderFaults(context, [application], tracker.current),
      ...syncFaults(context, application, tracker.followed),
    ];
    if (!deployment || !rollout) return found;
    const events = await eventsOf(context, rollout.fresh);
    for (const pod of rollout.fresh) warn(pod, events);
    const synced = lastSyncedCommit(application) ?? tracker.current;
    return [...found, ...rolloutFaults(context, application, rollout, { deployment, events, commit: synced })];
  };

  await waitForReady(context, { look, faults, hint: 'npm run status shows the state; npm run sync looks again.' });
  if (!seen) throw new Error('waited for an Application without seeing it');
  const { state, standing, changed } = seen;
  const { application } = state;
  const { rollout } = standing;
  return createReport(context, { tracker, application, rollout, answer, objects, before, changed, times });
}

/** Milliseconds that a pod may take before its events are asked for. */
const settleMs = 3000;

async function eventsOf(context: Context, pods: readonly Pod[]): Promise<KubeEvent[]> {
  const isSlow = ({ metadata }: Pod) => Date.now() - Date.parse(metadata.creationTimestamp ?? '') > settleMs;
  if (!pods.some((pod) => !isReady(pod) && isSlow(pod))) return [];
  const events = context.api().list<KubeEvent>('v1', 'Event', pods[0]?.metadata.namespace);
  // Judging without them is better than not at all.
  return events.catch(() => []);
}
