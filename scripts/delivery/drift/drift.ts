import { dirname } from 'node:path';
import type { Context } from '../../images/context.ts';
import { ApiError, Unreachable } from '../../kubernetes/api/api.ts';
import { groupOf, type KubeObject, titleOf } from '../../kubernetes/objects.ts';
import { gitIn } from '../../lib/git/run.ts';
import {
  type Application,
  type ApplicationResource,
  applicationsOf,
  argocdNamespace,
} from '../../repository/applications.ts';
import { type Drift, type DriftChange, driftChanges, keyOf, type PresentObjects, type SelfHeal } from './changes.ts';
import { type ApplicationEvent, episodesIn, type SameChart, selfHealsIn } from './self-heals.ts';

export const noDrift: Drift = { now: [], healed: [], drilled: [] };

const eventsPath = `/api/v1/namespaces/${argocdNamespace}/events?fieldSelector=involvedObject.kind=Application`;

/** What was changed by hand of what Git says, and is so now or was undone in the last hour. Nothing where nobody can tell. */
export async function findDrift(context: Context): Promise<Drift> {
  try {
    const [applications, { items }] = await Promise.all([
      applicationsOf(context),
      context.api().json<{ items: ApplicationEvent[] }>(eventsPath),
    ]);
    const present = await presentOf(context, applications);
    return {
      now: applications.flatMap((application) => driftChanges(application, present)),
      healed: await selfHealsIn(episodesIn(items), applications, { present, sameChart: compareCharts(context) }),
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
async function presentOf(context: Context, applications: readonly Application[]): Promise<PresentObjects> {
  const resources = applications.flatMap(({ status }) => status?.resources ?? []);
  const kinds = new Map(resources.map((resource) => [apiVersionOf(resource) + resource.kind, resource]));
  const lists = await Promise.all(
    [...kinds.values()].map((resource) => context.view().listHeads(apiVersionOf(resource), resource.kind)),
  );
  return new Map(lists.flat().map((object) => [keyOf(resourceOf(object)), object]));
}

function apiVersionOf({ group, version = '' }: ApplicationResource): string {
  return group ? `${group}/${version}` : version;
}

function resourceOf({ apiVersion, kind, metadata: { namespace = '', name } }: KubeObject) {
  return { group: groupOf(apiVersion), kind, namespace, name };
}

/** What Git said of two commits holds for ever. */
const sameChartCache = new Map<string, boolean>();

/** Asks Git. A commit that this clone does not have is like none. */
function compareCharts({ exec, config }: Context): SameChart {
  return async ({ spec }, one, other) => {
    const { path } = spec.source;
    const key = [config.root, path, one, other].join('\0');
    const known = sameChartCache.get(key);
    if (known !== undefined) return known;
    const paths = [path, `${dirname(path)}/common`].map((folder) => `:(top,literal)${folder}`);
    const compare = ['diff-tree', '-r', '--quiet', one, other, '--', ...paths];
    const { exitCode } = await gitIn(exec, config.root, 'reading').attempt(compare);
    if (exitCode <= 1) sameChartCache.set(key, exitCode === 0);
    return exitCode === 0;
  };
}

/** On an Application that `npm run drill` has pointed at a commit of its own: the drill's name. */
export const drillAnnotation = 'platform-ops/drill';

/** As many as a screen has room for; `--json` has all. */
const maxShown = { fields: 3, heals: 5 };

/** What a person reads of it; nothing where nothing was changed by hand. */
export function driftLines({ now, healed, drilled }: Drift): string[] {
  const earlier = healed.length - maxShown.heals;
  return [
    ...drilled.map(
      ({ application, drill }) =>
        `✖ Application ${application} is at a commit of npm run drill (${drill}); once that is over, npm run up sets it back`,
    ),
    ...(now.length > 0 ? ['Changed by hand:', ...now.map(changeLine)] : []),
    ...(healed.length > 0 ? ['Changed by hand, and undone by Argo CD within the last hour:'] : []),
    ...(earlier > 0 ? [`  ${earlier} earlier ${earlier === 1 ? 'one' : 'ones'}`] : []),
    ...healed.slice(-maxShown.heals).map(healLine),
  ];
}

const argocdLines: Record<DriftChange['argocd'], string> = {
  'sees it': 'Argo CD sees it',
  'has not looked yet': 'Argo CD has not looked since',
  'leaves it': 'Argo CD sees no difference from Git, so it stays',
};

function changeLine(change: DriftChange): string {
  const { what, edits, argocd } = change;
  const mark = argocd === 'leaves it' ? '!' : '✖';
  const how = edits.map(({ by, at, fields }) => `${fieldList(fields)} by ${by} at ${clock(at)}`).join(', ');
  const edited = how === '' ? ' differs, and nobody can tell by whom' : `: ${how}`;
  return `  ${mark} ${titleOf(change)}${what === 'deleted' ? ' was deleted' : edited}; ${argocdLines[argocd]}`;
}

function healLine({ application, at, seconds, objects }: SelfHeal): string {
  const what =
    objects.length === 0
      ? `something of ${application} set back`
      : objects.map((object) => `${titleOf(object)} ${object.what}`).join(', ');
  return `  ✔ ${clock(at)}  ${what} in ${seconds.toFixed(1)} s`;
}

function fieldList(fields: readonly string[]): string {
  const more = fields.length - maxShown.fields;
  return `${fields.slice(0, maxShown.fields).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** The time on this machine's clock, as 14:03:12. */
function clock(time: string): string {
  return new Date(time).toTimeString().slice(0, 8);
}
