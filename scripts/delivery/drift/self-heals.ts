import { namedOf } from '../../kubernetes/objects.ts';
import type { Application, SyncRecord } from '../../repository/applications.ts';
import { keyOf, lastAppliedByArgocd, type PresentObjects, type SelfHeal } from './changes.ts';

/** Whether an Application's chart is the same at two commits. False where that can't be told. */
export type SameChart = (application: Application, one: string, other: string) => Promise<boolean>;

/**
 * Those episodes in which Argo CD undid a change by hand. That it calls a sync partial says next to nothing: a change by hand
 * behind another commit is undone by a whole sync. So an episode counts where Git can't be the reason, because what was
 * deployed before renders the same.
 */
export async function selfHealsIn(
  episodes: readonly Episode[],
  applications: readonly Application[],
  { present, sameChart }: { present: PresentObjects; sameChart: SameChart },
): Promise<SelfHeal[]> {
  const heals = episodes.map(async (episode) => {
    const application = applications.find(({ metadata }) => metadata.name === episode.application);
    if (!application || !(await rendersAsBefore(episode, application, sameChart))) return [];
    return [
      {
        application: episode.application,
        at: new Date(episode.noticed).toISOString(),
        seconds: (episode.synced - episode.noticed) / 1000,
        revision: episode.revision,
        objects: touchedIn(episode, application, present),
      },
    ];
  });
  return (await Promise.all(heals)).flat();
}

/**
 * Whether the same was deployed before. The history of an Application has its whole syncs, this one's entry included; a
 * partial one has none, and is of the same source as the one before it.
 */
async function rendersAsBefore(episode: Episode, application: Application, sameChart: SameChart): Promise<boolean> {
  const { completed, partial, revision } = episode;
  const history = application.status?.history ?? [];
  const last = history.findLastIndex(
    (one) => Date.parse(one.deployedAt ?? '') <= completed && (partial || one.revision === revision),
  );
  const [before, own] = partial ? [history[last]] : [history[last - 1], history[last]];
  // History is short, and a partial sync older than that can't be compared any more.
  if (before?.revision === undefined) return partial;
  if (own && sourceOf(before) !== sourceOf(own)) return false;
  return before.revision === revision || sameChart(application, before.revision, revision);
}

/** All that decides what a commit renders to; which commit it is, is known by its SHA. */
function sourceOf({ source }: SyncRecord): string {
  return JSON.stringify({ ...source, targetRevision: undefined });
}

/** What Argo CD wrote to in that time and nobody has since. The time stamps are whole seconds. */
function touchedIn(
  { started, completed, synced }: Episode,
  { status }: Application,
  present: PresentObjects,
): SelfHeal['objects'] {
  const within = (time: number | undefined) =>
    time !== undefined && time >= Math.floor(started / 1000) * 1000 && time <= Math.max(completed, synced);
  const objects = (status?.resources ?? []).map((resource) => [resource, present.get(keyOf(resource))] as const);
  return objects.flatMap(([resource, object]) => {
    if (!object || !within(lastAppliedByArgocd(object.metadata))) return [];
    const isNew = within(Date.parse(object.metadata.creationTimestamp ?? ''));
    return [
      {
        ...namedOf({ kind: resource.kind, metadata: object.metadata }),
        what: isNew ? ('made anew' as const) : ('set back' as const),
      },
    ];
  });
}

/** What Argo CD's controller writes about an Application. Kubernetes keeps it for an hour. */
export interface ApplicationEvent {
  metadata: { name: string };
  involvedObject: { name: string };
  reason?: string;
  message?: string;
  lastTimestamp?: string;
}

/** A way from "not as Git says" back to "as Git says". Times are milliseconds since 1970. */
interface Episode {
  application: string;
  noticed: number;
  started: number;
  completed: number;
  synced: number;
  revision: string;
  /** Whether Argo CD named what it applied, in place of the whole Application. */
  partial: boolean;
}

/** The controller's sentences (persistAppStatus, autoSync and setOperationState of Argo CD v3.5.7). */
const eventPatterns = {
  noticed: /^Updated sync status: Synced -> OutOfSync$/,
  synced: /^Updated sync status: OutOfSync -> Synced$/,
  started: /^Initiated automated sync to '(\w+)'$/,
  completed: /^(Partial sync|Sync) operation to (\w+) succeeded$/,
};

/** The episodes that came to their end, oldest first. What began before the oldest event is left out. */
export function episodesIn(events: readonly ApplicationEvent[]): Episode[] {
  const open = new Map<string, Partial<Episode> & { wasSynced?: true }>();
  const ended: Episode[] = [];
  for (const { at, application, message } of inOrder(events)) {
    const [noticed, started] = [eventPatterns.noticed.test(message), eventPatterns.started.test(message)];
    // Argo CD starts what is to be done a moment before it writes down that something is.
    if (noticed || started) open.set(application, { application, noticed: at, ...open.get(application) });
    const episode = open.get(application);
    if (episode === undefined) continue;
    if (noticed) episode.wasSynced = true;
    if (started) episode.started ??= at;
    // What it applied is seen a moment later, and until then it may apply it once more: the first operation tells why.
    const completed = episode.completed === undefined && eventPatterns.completed.exec(message);
    if (completed) Object.assign(episode, { completed: at, partial: completed[1] !== 'Sync', revision: completed[2] });
    // And it may see that all is well a moment before it calls the operation done.
    if (eventPatterns.synced.test(message)) episode.synced = at;
    const { wasSynced, ...whole } = episode;
    if (isComplete(whole) && wasSynced) ended.push(whole);
    // What began while all was well, or was well again without Argo CD, is no heal, and must not take in the next one.
    const none = wasSynced ? episode.synced && !episode.started : episode.completed;
    if (isComplete(whole) || none) open.delete(application);
  }
  return ended;
}

function isComplete<T extends Partial<Episode>>(episode: T): episode is T & Episode {
  return episode.started !== undefined && episode.completed !== undefined && episode.synced !== undefined;
}

function inOrder(events: readonly ApplicationEvent[]) {
  return events
    .map((event) => ({ at: timeOf(event), application: event.involvedObject.name, message: event.message ?? '' }))
    .toSorted((one, other) => one.at - other.at);
}

/** The time stamps are whole seconds; the names end with the nanoseconds, in hexadecimal digits. */
function timeOf({ metadata, lastTimestamp = '' }: ApplicationEvent): number {
  const digits = /\.([0-9a-f]{16})$/.exec(metadata.name)?.[1];
  return digits === undefined ? Date.parse(lastTimestamp) : Number(BigInt(`0x${digits}`) / 1_000_000n);
}
