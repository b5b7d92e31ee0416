import { posix } from 'node:path';
import type { Context } from '../../images/context.ts';
import { stubsAmong } from '../../images/stubs.ts';
import { containerImage, isReady } from '../../kubernetes/workloads.ts';
import { shortSha } from '../../lib/git/checkout.ts';
import { changedFiles } from '../../lib/git/commits.ts';
import { columns, counted } from '../../lib/text.ts';
import type { Application } from '../../repository/applications.ts';
import type { CommitTracker } from './commit-tracker.ts';
import { type IngressAnswer, type Rollout, type Stage, stages } from './rollout.ts';

/** What became of a commit in one Application. */
export interface RolloutReport {
  application: string;
  /** The commit that was asked for, and its subject line. */
  commit: string;
  subject: string;
  /** The commit that Argo CD rendered: another one than `commit` where that was superseded meanwhile. */
  revision: string;
  /** Whether `revision` has `commit` in its history, or is it; undefined where this clone lacks one of the two. */
  contained: boolean | undefined;
  /** Whether anything was synced for it. All that follows but `seconds` is empty otherwise. */
  changed: boolean;
  /** What was synced, as in 'Deployment api-node', with '(pruned)' behind what went. */
  objects: string[];
  /** The files of the chart that differ from what was synced before, counted from the top folder. */
  files: string[];
  /** Names of the pods that were made for it, and are ready. None where nothing had to restart. */
  pods: string[];
  /** What these pods run. */
  image?: RolledOutImage;
  /** What the ingress answered; none for a service without a route, or without new pods. */
  answer?: IngressAnswer;
  /** Seconds from the start of the command, or from the commit, to each stage; only to those that there are. */
  seconds: Partial<Record<Stage, number>>;
}

interface RolledOutImage {
  name: string;
  /** What the pods ran before, where that was another one. */
  before?: string;
  /** The image ID, as the node tells it. */
  id: string;
  standIn: boolean;
}

/** A report for the screen. */
export function reportLines(report: RolloutReport): string[] {
  const { application, commit, revision, subject, contained, changed } = report;
  const asked = `${shortSha(commit)} ${subject}`;
  const newer = `${contained ? 'contained in' : contained === false ? 'not contained in' : 'superseded by'} ${shortSha(revision)}`;
  if (!changed) {
    const at = revision === commit ? `at ${shortSha(commit)}` : `${shortSha(commit)} is ${newer}`;
    return [`${application}: unchanged, ${at}`];
  }
  return [`${application}: ${asked}${revision === commit ? '' : `, ${newer}`}`, ...columns(reportRows(report))];
}

function reportRows({ objects, files, pods, image, answer, seconds }: RolloutReport): (readonly [string, string])[] {
  const times = stages.flatMap((stage) => {
    const time = seconds[stage];
    return time === undefined ? [] : [`${stage === 'ready' ? 'new pod ready' : stage} ${time.toFixed(1)} s`];
  });
  const tag = image?.name.slice(image.name.lastIndexOf(':') + 1);
  const runs = image && (image.before === undefined ? image.name : `${image.before} -> ${tag}`);
  return [
    ...(files.length > 0 ? [['files', files.join(', ')] as const] : []),
    ['synced', objects.length > 0 ? objects.join(', ') : 'nothing'] as const,
    ...(image
      ? [['image', `${runs}${image.standIn ? ' (stand-in)' : ''}`] as const, ['image ID', image.id] as const]
      : []),
    ...(answer ? [['answers', `${answer.url}, 200 ${answerProof(answer)}`] as const] : []),
    ['pods', pods.length > 0 ? `${pods.join(', ')}: ready, and up in Prometheus` : 'none had to restart'] as const,
    ['times', times.join(', ')] as const,
  ];
}

function answerProof({ version, by, draining = 0 }: NonNullable<RolloutReport['answer']>): string {
  const told = version === undefined ? 'without a version' : `with version ${version}`;
  const old = draining === 0 ? '' : ` (${counted(draining, 'old pod')} still draining for some seconds)`;
  return by === 'version' ? `${told}${old}` : `${told}, while only new pods were endpoints${old}`;
}

interface Observation {
  tracker: CommitTracker;
  application: Application;
  /** None where the Application has no Deployment. */
  rollout: Rollout | undefined;
  answer: IngressAnswer | undefined;
  /** What was synced for the followed commits, as `syncedObjects` names it. */
  objects: Iterable<string>;
  /** The commit that was synced when it was looked at first. */
  before: string | undefined;
  /** Whether one of the followed commits was the last that was synced. */
  changed: boolean;
  /** When each stage was reached, in whatever order: two may be reached by the same look, or the other way round. */
  times: ReadonlyMap<Stage, number>;
}

/** Puts together what was observed of an Application in which the followed commit runs. */
export async function createReport(context: Context, observed: Observation): Promise<RolloutReport> {
  const { tracker, application, rollout, answer, objects, before, changed, times } = observed;
  const { name } = application.metadata;
  const report = {
    application: name,
    commit: tracker.asked.sha,
    subject: tracker.asked.subject,
    revision: tracker.current,
    contained: tracker.contained,
    changed,
    objects: [],
    files: [],
    pods: [],
    seconds: Object.fromEntries(stages.flatMap((stage) => (times.has(stage) ? [[stage, times.get(stage)]] : []))),
  };
  if (!changed) return report;
  const [files, image] = await Promise.all([
    filesChanged(context, application, [before ?? syncedBefore(application), tracker.current]),
    rollout && imageOf(context, name, rollout),
  ]);
  return {
    ...report,
    objects: [...objects].sort(),
    files,
    pods: (rollout?.fresh ?? []).filter(isReady).map(({ metadata }) => metadata.name),
    ...(image && { image }),
    ...(answer && { answer }),
  };
}

/** What the last sync did, an object each: with ApplyOutOfSyncOnly it lists those alone that were not as they should be. */
export function syncedObjects({ status }: Application): string[] {
  const resources = status?.operationState?.syncResult?.resources ?? [];
  return resources.map((one) => `${one.kind} ${one.name}${one.status === 'Pruned' ? ' (pruned)' : ''}`);
}

/** The commit that was synced before the last one that was, or undefined for the first. */
export function syncedBefore({ status }: Application): string | undefined {
  const last = status?.operationState?.syncResult?.revision;
  return status?.history?.findLast(({ revision }) => revision !== undefined && revision !== last)?.revision;
}

/** The files of a chart, with those of the library that all charts link to, that differ from what was synced before. */
async function filesChanged(
  context: Context,
  application: Application,
  [from, to]: readonly [string | undefined, string],
): Promise<string[]> {
  const { path } = application.spec.source ?? {};
  if (from === undefined || path === undefined) return [];
  const { top } = await context.checkout();
  return changedFiles(context.exec, top, [from, to], [path, posix.join(posix.dirname(path), 'common')]);
}

/** What the first ready one of the new pods runs, or where one has just become unready, the first. Undefined without new pods. */
async function imageOf(context: Context, service: string, rollout: Rollout): Promise<RolledOutImage | undefined> {
  const pod = rollout.fresh.find(isReady) ?? rollout.fresh[0];
  const name = pod && containerImage(pod.spec, service);
  if (!pod || name === undefined) return undefined;
  const statuses = pod.status.containerStatuses ?? [];
  const container = statuses.find((one) => one.name === service) ?? statuses[0];
  const { before } = rollout;
  return {
    name,
    ...(before !== undefined && before !== name && { before }),
    id: container?.imageID ?? '',
    standIn: (await stubsAmong(context, [name])).has(name),
  };
}
