/** What Argo CD's controller writes about an Application. Kubernetes keeps it for an hour. */
export interface ApplicationEvent {
  metadata: { name: string };
  involvedObject: { name: string };
  reason?: string;
  message?: string;
  lastTimestamp?: string;
}

/** A way from "not as Git says" back to "as Git says". Times are milliseconds since 1970. */
export interface Episode {
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
const sentences = {
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
    const [noticed, started] = [sentences.noticed.test(message), sentences.started.test(message)];
    // Argo CD starts what is to be done a moment before it writes down that something is.
    if (noticed || started) open.set(application, { application, noticed: at, ...open.get(application) });
    const episode = open.get(application);
    if (episode === undefined) continue;
    if (noticed) episode.wasSynced = true;
    if (started) episode.started ??= at;
    // What it applied is seen a moment later, and until then it may apply it once more: the first operation tells why.
    const completed = episode.completed === undefined && sentences.completed.exec(message);
    if (completed) Object.assign(episode, { completed: at, partial: completed[1] !== 'Sync', revision: completed[2] });
    // And it may see that all is well a moment before it calls the operation done.
    if (sentences.synced.test(message)) episode.synced = at;
    if (!isWhole(episode)) continue;
    open.delete(application);
    const { wasSynced, ...whole } = episode;
    if (wasSynced) ended.push(whole);
  }
  return ended;
}

function isWhole<T extends Partial<Episode>>(episode: T): episode is T & Episode {
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
