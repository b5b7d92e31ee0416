import { posix } from 'node:path';
import type { Context } from '../../images/context.ts';
import { stubsAmong } from '../../images/stubs.ts';
import { containerImage, isReady } from '../../kubernetes/workloads.ts';
import { changedFiles } from '../../lib/git/commits.ts';
import type { Application } from '../../repository/applications.ts';
import type { Course } from './course.ts';
import type { Answer, Image, Receipt } from './receipt.ts';
import type { Rollout } from './rollout.ts';

interface Observed {
  course: Course;
  application: Application;
  /** None where the Application has no Deployment. */
  rollout: Rollout | undefined;
  answer: Answer | undefined;
  /** What was synced for the followed commits, as `syncedObjects` names it. */
  objects: readonly string[];
  /** The commit that was synced when it was looked at first. */
  before: string | undefined;
  /** Whether one of the followed commits was the last that was synced. */
  changed: boolean;
  seconds: Receipt['seconds'];
}

/** Puts together what was observed of an Application in which the followed commit runs. */
export async function makeReceipt(context: Context, observed: Observed): Promise<Receipt> {
  const { course, application, rollout, answer, objects, before, changed, seconds } = observed;
  const { name } = application.metadata;
  const revision = course.commit();
  const unchanged = {
    application: name,
    commit: course.asked.sha,
    subject: course.asked.subject,
    revision,
    contained: course.contained(),
    changed: false,
    objects: [],
    files: [],
    pods: [],
    seconds,
  };
  if (!changed) return unchanged;
  const [files, image] = await Promise.all([
    filesChanged(context, application, [before ?? syncedBefore(application), revision]),
    rollout && imageOf(context, name, rollout),
  ]);
  return {
    ...unchanged,
    changed,
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
  const earlier = (status?.history ?? []).filter(({ revision }) => revision !== undefined && revision !== last);
  return earlier.at(-1)?.revision;
}

/** The files of a chart, with those of the library that all charts link to, that differ from what was synced before. */
async function filesChanged(
  context: Context,
  application: Application,
  [from, to]: readonly [string | undefined, string],
): Promise<string[]> {
  if (from === undefined) return [];
  const { path } = application.spec.source;
  const { top } = await context.checkout();
  return changedFiles(context.exec, top, [from, to], [path, posix.join(posix.dirname(path), 'common')]);
}

/** What the first ready one of the new pods runs. Undefined where none is ready. */
async function imageOf(context: Context, service: string, rollout: Rollout): Promise<Image | undefined> {
  const pod = rollout.fresh.find(isReady);
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
