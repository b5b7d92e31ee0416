import { unfitness } from '../../components/applications.ts';
import { registrations } from '../../components/registrations.ts';
import { renderFaults } from '../../components/render-error.ts';
import { unscraped } from '../../components/services.ts';
import type { Context } from '../../images/context.ts';
import type { KubeEvent } from '../../kubernetes/explain/explain.ts';
import { type Blocker, waitForReady } from '../../kubernetes/waiting/ready.ts';
import { isReady } from '../../kubernetes/workloads.ts';
import { type Application, servicesNamespace } from '../../repository/applications.ts';
import { askNewPods } from './answer.ts';
import type { Course } from './course.ts';
import { rolloutFaults, syncFaults } from './faults.ts';
import { makeReceipt, syncedObjects } from './make.ts';
import { createMarks } from './marks.ts';
import type { Answer, Receipt } from './receipt.ts';
import { type Rollout, rolloutOf } from './rollout.ts';
import type { Sight } from './sight.ts';
import { isCompared, syncedLast, unsynced } from './synced.ts';
import { createWarnings } from './warnings.ts';

export interface Following {
  course: Course;
  /** Looks at all Applications. */
  lookout: () => Promise<Sight[]>;
  /** When it began, in milliseconds of `performance.now()`. */
  since: number;
  /** Tells a person what will perhaps go wrong, while it goes on. */
  note: (text: string) => void;
}

/** Milliseconds that a pod may take before its events are asked for. */
const settling = 3000;

/**
 * Waits until the followed commit runs in one Application. Throws a `UserError` with the reason where it can't be
 * rendered, is refused, or its pods don't get ready.
 */
export async function followApplication(context: Context, name: string, following: Following): Promise<Receipt> {
  const { course, lookout, since, note } = following;
  const marks = createMarks(since);
  const warn = createWarnings(note);
  /** What every operation of the followed commits did: Argo CD tells of its last alone, which may repeat a part of one. */
  const objects = new Set<string>();
  let marked = course.commit();
  let before: string | undefined;
  let sight: Sight | undefined;
  let rollout: Rollout | undefined;
  let answer: Answer | undefined;

  const look = async (): Promise<string | undefined> => {
    // What can't be seen now is not judged by what was seen before.
    [sight, rollout] = [undefined, undefined];
    sight = (await lookout()).find(({ application }) => application.metadata.name === name);
    if (!sight) return `Application ${name} is missing`;
    const { application } = sight;
    if (isChanged()) for (const object of syncedObjects(application)) objects.add(object);
    else before ??= syncedLast(application);
    await course.heed(application);
    const commit = course.commit();
    if (commit !== marked) {
      marks.clear();
      answer = undefined;
    }
    marked = commit;
    if (!isCompared(application, await sourceOf(context, name), commit))
      return `Application ${name} is ${unfitness(application, commit) ?? 'not compared yet with its new source'}`;
    marks.reach('seen');
    const missing = unsynced(application, commit);
    if (missing !== undefined) return missing;
    marks.reach('synced');
    rollout = rolloutOf(sight, application.status?.operationState?.startedAt);
    const rolling = rollout && (await unrolled(rollout));
    if (rolling !== undefined) return rolling;
    const unfit = unfitness(application, commit);
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

  const isChanged = () => sight !== undefined && course.followed.has(syncedLast(sight.application) ?? '');

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
    const commit = syncedLast(application) ?? course.commit();
    return [...found, ...rolloutFaults(context, application, rollout, { deployment, events, commit })];
  };

  await waitForReady(context, { look, faults, hint: 'npm run status shows what there is; npm run sync looks again.' });
  if (!sight) throw new Error('waited for an Application without seeing it');
  const { application } = sight;
  const seen = { application, rollout, answer, before, objects: [...objects] };
  return makeReceipt(context, { ...seen, course, changed: isChanged(), seconds: marks.seconds() });
}

/** The source that an Application should be rendered from. */
async function sourceOf(context: Context, name: string): Promise<Application['spec']['source']> {
  const all = (await registrations(context)) as Application[];
  const wanted = all.find(({ kind, metadata }) => kind === 'Application' && metadata.name === name);
  if (!wanted) throw new Error(`there is no Application ${name} in argocd/`);
  return wanted.spec.source;
}

async function eventsOf(context: Context, { fresh }: Rollout): Promise<KubeEvent[]> {
  const isSlow = ({ metadata }: { metadata: { creationTimestamp?: string } }) =>
    Date.now() - Date.parse(metadata.creationTimestamp ?? '') > settling;
  if (!fresh.some((pod) => !isReady(pod) && isSlow(pod))) return [];
  // Judging without them is better than not at all.
  return context
    .api()
    .list<KubeEvent>('v1', 'Event', servicesNamespace)
    .catch(() => []);
}
