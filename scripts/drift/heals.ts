import type { KubeObject } from '../lib/objects.ts';
import { setByArgocd } from './by-hand.ts';
import { keyOf, type Present } from './changes.ts';
import type { Heal, Resource, Watched } from './drift.ts';
import type { Episode } from './events.ts';

/** Whether an Application's chart is the same at two commits. False where that can't be told. */
export type SameChart = (application: Watched, one: string, other: string) => Promise<boolean>;

/**
 * Those episodes in which Argo CD undid a change by hand. It calls a sync partial where the commit was deployed already, so
 * that Git can't be the reason. Behind a commit that left the chart alone it syncs as a whole: then the charts are compared.
 */
export async function healsAmong(
  episodes: readonly Episode[],
  applications: readonly Watched[],
  { present, sameChart }: { present: Present; sameChart: SameChart },
): Promise<Heal[]> {
  const heals = episodes.map(async (episode) => {
    const application = applications.find(({ metadata }) => metadata.name === episode.application);
    if (!application) return [];
    if (!episode.partial && !(await changedNothing(episode, application, sameChart))) return [];
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

/** Whether the deployment brought the same as the one before it: the same source, and a chart without a difference. */
async function changedNothing({ completed }: Episode, application: Watched, sameChart: SameChart): Promise<boolean> {
  const history = application.status?.history ?? [];
  const at = history.findLastIndex(({ deployedAt = '' }) => Date.parse(deployedAt) <= completed);
  const [before, own] = [history[at - 1], history[at]];
  if (!before?.revision || !own?.revision || JSON.stringify(before.source) !== JSON.stringify(own.source)) return false;
  return sameChart(application, before.revision, own.revision);
}

/** What Argo CD wrote to in that time and nobody has since. The time stamps are whole seconds. */
function touchedIn({ started, completed }: Episode, { status }: Watched, present: Present): Heal['objects'] {
  const within = (time: number | undefined) =>
    time !== undefined && time >= Math.floor(started / 1000) * 1000 && time <= completed;
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
