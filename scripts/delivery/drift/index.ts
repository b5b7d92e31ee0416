import { dirname } from 'node:path';
import type { Context } from '../../images/context.ts';
import { ApiError, Unreachable } from '../../kubernetes/api/api.ts';
import { groupOf, type KubeObject } from '../../kubernetes/objects.ts';
import { applicationApi, argocdNamespace } from '../../repository/applications.ts';
import { changesOf, keyOf, type Present } from './changes.ts';
import type { Drift, Resource, Watched } from './drift.ts';
import { drillAnnotation } from './drill-annotation.ts';
import { type ApplicationEvent, episodesIn } from './events.ts';
import { healsAmong, type SameChart } from './heals.ts';

export type { Change, Drift, Heal } from './drift.ts';

export const noDrift: Drift = { now: [], healed: [], drilled: [] };

const eventsPath = `/api/v1/namespaces/${argocdNamespace}/events?fieldSelector=involvedObject.kind=Application`;

/** What was changed by hand of what Git says, and is so now or was undone in the last hour. Nothing where nobody can tell. */
export async function findDrift(context: Context): Promise<Drift> {
  try {
    const [applications, { items }] = await Promise.all([
      context.view().list<Watched>(applicationApi, 'Application'),
      context.api().json<{ items: ApplicationEvent[] }>(eventsPath),
    ]);
    const present = await presentOf(context, applications);
    return {
      now: applications.flatMap((application) => changesOf(application, present)),
      healed: await healsAmong(episodesIn(items), applications, { present, sameChart: comparing(context) }),
      drilled: applications.flatMap(({ metadata: { name, annotations } }) => {
        const drill = annotations?.[drillAnnotation];
        return drill === undefined ? [] : [{ application: name, drill }];
      }),
    };
  } catch (error) {
    // What does not answer is said by its own line.
    if (error instanceof ApiError || error instanceof Unreachable) return noDrift;
    throw error;
  }
}

/** The objects that the Applications name, without their content. Asks once for each kind. */
async function presentOf(context: Context, applications: readonly Watched[]): Promise<Present> {
  const resources = applications.flatMap(({ status }) => status?.resources ?? []);
  const kinds = new Map(resources.map((resource) => [apiVersionOf(resource) + resource.kind, resource]));
  const lists = await Promise.all(
    [...kinds.values()].map((resource) => context.view().listHeads(apiVersionOf(resource), resource.kind)),
  );
  return new Map(lists.flat().map((object) => [keyOf(resourceOf(object)), object]));
}

function apiVersionOf({ group, version }: Resource): string {
  return group ? `${group}/${version}` : version;
}

function resourceOf({ apiVersion, kind, metadata: { namespace = '', name } }: KubeObject) {
  return { group: groupOf(apiVersion), kind, namespace, name };
}

/** What Git said of two commits holds for ever. */
const compared = new Map<string, boolean>();

/** Asks Git. A commit that this clone does not have is like none. */
function comparing({ exec, config }: Context): SameChart {
  return async ({ spec }, one, other) => {
    const { path } = spec.source;
    const key = [config.root, path, one, other].join('\0');
    const known = compared.get(key);
    if (known !== undefined) return known;
    const paths = [path, `${dirname(path)}/common`].map((folder) => `:(top,literal)${folder}`);
    const diff = ['git', '-C', config.root, 'diff', '--quiet', '--no-ext-diff', '--no-textconv'] as const;
    const { exitCode } = await exec([...diff, one, other, '--', ...paths], { nothrow: true, timeout: 20_000 });
    if (exitCode <= 1) compared.set(key, exitCode === 0);
    return exitCode === 0;
  };
}
