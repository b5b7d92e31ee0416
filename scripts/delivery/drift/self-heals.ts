import { type Named, namedOf } from '../../kubernetes/objects.ts';
import type { KubeEvent } from '../../kubernetes/types.ts';
import type { Application, SyncRecord } from '../../repository/applications.ts';
import { lastAppliedByArgocd, type PresentObjects, presentObject } from './changes.ts';

/** A change by hand that Argo CD reverted. */
export interface SelfHeal {
  application: string;
  /** When Argo CD noticed, as ISO 8601. */
  at: string;
  /** Seconds from there until all was as Git says. */
  seconds: number;
  /** The commit whose state it restored. */
  revision: string;
  /** What was set back or recreated, as far as the cluster still tells. */
  objects: (Named & { what: 'set back' | 'made anew' })[];
}

/** Whether an Application's chart is the same at two commits. False where that can't be told. */
type SameChart = (application: Application, one: string, other: string) => Promise<boolean>;

/**
 * Those episodes in which Argo CD reverted a change by hand. That it calls a sync partial says next to nothing: a change by
 * hand behind another commit is reverted by a whole sync. So an episode counts where Git can't be the reason, because what
 * was deployed before renders the same.
 */
export async function selfHealsIn(
  episodes: readonly Episode[],
  applications: readonly Application[],
  { present, sameChart }: { present: PresentObjects; sameChart: SameChart },
): Promise<SelfHeal[]> {
  const heals = episodes.map(async (episode) => {
    const { noticed, synced, revision } = episode;
    const application = applications.find(({ metadata }) => metadata.name === episode.application);
    if (!application || !(await rendersAsBefore(episode, application, sameChart))) return [];
    return [
      {
        application: episode.application,
        at: new Date(noticed).toISOString(),
        seconds: (synced - noticed) / 1000,
        revision,
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

/** What Argo CD wrote to in that time and nothing has since. The time stamps are whole seconds. */
function touchedIn(
  { started, completed, synced }: Episode,
  { status }: Application,
  present: PresentObjects,
): SelfHeal['objects'] {
  const within = (time = 0) => time >= Math.floor(started / 1000) * 1000 && time <= Math.max(completed, synced);
  return (status?.resources ?? []).flatMap((resource) => {
    const object = presentObject(present, resource);
    if (!object || !within(lastAppliedByArgocd(object.metadata))) return [];
    const isNew = within(Date.parse(object.metadata.creationTimestamp ?? ''));
    const named = namedOf({ kind: resource.kind, metadata: object.metadata });
    return [{ ...named, what: isNew ? 'made anew' : 'set back' }];
  });
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

/**
 * The episodes that came to their end, oldest first, by what Argo CD's controller writes about Applications. What began
 * before the oldest event is left out.
 */
export function episodesIn(events: readonly KubeEvent[]): Episode[] {
  const open = new Map<string, Partial<Episode> & { wasSynced?: true }>();
  const ended: Episode[] = [];
  const inOrder = events.map((event) => ({ ...event, at: timeOf(event) })).toSorted((one, other) => one.at - other.at);
  for (const { at, involvedObject, message = '' } of inOrder) {
    const application = involvedObject?.name ?? '';
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

function isComplete(episode: Partial<Episode>): episode is Episode {
  return episode.started !== undefined && episode.completed !== undefined && episode.synced !== undefined;
}

/** The time stamps are whole seconds; the names end with the nanoseconds, in hexadecimal digits. */
function timeOf({ metadata, lastTimestamp = '' }: KubeEvent): number {
  const digits = /\.([0-9a-f]{16})$/.exec(metadata.name)?.[1];
  return digits === undefined ? Date.parse(lastTimestamp) : Number(BigInt(`0x${digits}`) / 1_000_000n);
}
