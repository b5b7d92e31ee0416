import type { KubeObject } from '../../kubernetes/objects.ts';
import { setByArgocd } from './by-hand.ts';
import { keyOf, type Present } from './changes.ts';
import type { Deployed, Heal, Resource, Watched } from './drift.ts';
import type { Episode } from './events.ts';

/** Whether an Application's chart is the same at two commits. False where that can't be told. */
export type SameChart = (application: Watched, one: string, other: string) => Promise<boolean>;

/**
 * Those episodes in which Argo CD undid a change by hand. That it calls a sync partial says next to nothing: a change by hand
 * behind another commit is undone by a whole sync. So an episode counts where Git can't be the reason, because what was
 * deployed before renders the same.
 */
export async function healsAmong(
  episodes: readonly Episode[],
  applications: readonly Watched[],
  { present, sameChart }: { present: Present; sameChart: SameChart },
): Promise<Heal[]> {
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
async function rendersAsBefore(episode: Episode, application: Watched, sameChart: SameChart): Promise<boolean> {
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
function sourceOf({ source }: Deployed): string {
  return JSON.stringify({ ...source, targetRevision: undefined });
}

/** What Argo CD wrote to in that time and nobody has since. The time stamps are whole seconds. */
function touchedIn({ started, completed, synced }: Episode, { status }: Watched, present: Present): Heal['objects'] {
  const within = (time: number | undefined) =>
    time !== undefined && time >= Math.floor(started / 1000) * 1000 && time <= Math.max(completed, synced);
  const objects = (status?.resources ?? []).map((resource) => [resource, present.get(keyOf(resource))] as const);
  return objects.flatMap(([resource, object]) => {
    if (!object || !within(setByArgocd(object.metadata))) return [];
    const isNew = within(Date.parse(object.metadata.creationTimestamp ?? ''));
    return [{ ...named(resource, object), what: isNew ? ('made anew' as const) : ('set back' as const) }];
  });
}

function named({ kind, name }: Resource, { metadata: { namespace } }: KubeObject) {
  return { kind, ...(namespace !== undefined && { namespace }), name };
}
