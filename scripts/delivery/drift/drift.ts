import { dirname } from 'node:path';
import type { Context } from '../../images/context.ts';
import { ApiError, Unreachable } from '../../kubernetes/api/api.ts';
import { identityOf, titleOf } from '../../kubernetes/objects.ts';
import type { KubeEvent } from '../../kubernetes/types.ts';
import { gitIn } from '../../lib/git/run.ts';
import { counted } from '../../lib/text.ts';
import { type Application, applicationsOf, argocdNamespace } from '../../repository/applications.ts';
import { type DriftChange, driftChanges, type PresentObjects } from './changes.ts';
import { episodesIn, type SelfHeal, selfHealsIn } from './self-heals.ts';

export interface Drift {
  now: DriftChange[];
  /** Oldest first; Kubernetes keeps events for an hour. */
  healed: SelfHeal[];
  /** The Applications that `npm run drill` points at another commit, or left so when it was killed, each with the drill's name. */
  drilled: { application: string; drill: string }[];
}

export const noDrift: Drift = { now: [], healed: [], drilled: [] };

/** On an Application that `npm run drill` has pointed at a commit of its own: the drill's name. */
export const drillAnnotation = 'platform-ops/drill';

const eventsPath = `/api/v1/namespaces/${argocdNamespace}/events?fieldSelector=involvedObject.kind=Application`;

/** What was changed by hand of what Git says, and is so now or was reverted in the last hour. Nothing where that can't be told. */
export async function findDrift(context: Context): Promise<Drift> {
  try {
    const [applications, { items }] = await Promise.all([
      applicationsOf(context),
      context.api().json<{ items: KubeEvent[] }>(eventsPath),
    ]);
    const present = await presentObjects(context, applications);
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
async function presentObjects(context: Context, applications: readonly Application[]): Promise<PresentObjects> {
  const resources = applications.flatMap(({ status }) => status?.resources ?? []);
  const kinds = new Map(
    resources.map(({ group, version = '', kind }) => {
      const apiVersion = group ? `${group}/${version}` : version;
      return [`${apiVersion} ${kind}`, { apiVersion, kind }];
    }),
  );
  const lists = [...kinds.values()].map(({ apiVersion, kind }) => context.view().listHeads(apiVersion, kind));
  return new Map((await Promise.all(lists)).flat().map((object) => [identityOf(object), object]));
}

/** Asks Git, once for each pair of commits. A commit that this clone does not have is like none. */
function compareCharts({ exec, config }: Context) {
  const known = new Map<string, Promise<boolean>>();
  return ({ spec }: Application, one: string, other: string): Promise<boolean> => {
    const { path } = spec.source ?? {};
    if (path === undefined) return Promise.resolve(false);
    const key = [path, one, other].join('\0');
    const compare = async () => {
      const paths = [path, `${dirname(path)}/common`].map((folder) => `:(top,literal)${folder}`);
      const args = ['diff-tree', '-r', '--quiet', one, other, '--', ...paths];
      return (await gitIn(exec, config.root, 'reading').attempt(args)).exitCode === 0;
    };
    const same = known.get(key) ?? compare();
    known.set(key, same);
    return same;
  };
}

/** As many as a screen has room for; `--json` has all. */
const maxShown = { fields: 3, heals: 5 };

/** The same for the screen; nothing where nothing was changed by hand. */
export function driftLines({ now, healed, drilled }: Drift): string[] {
  const earlier = healed.length - maxShown.heals;
  return [
    ...drilled.map(
      ({ application, drill }) =>
        `✖ Application ${application} is at a commit of npm run drill (${drill}); once that is over, npm run up sets it back`,
    ),
    ...(now.length > 0 ? ['Changed by hand:', ...now.map(changeLine)] : []),
    ...(healed.length > 0 ? ['Changed by hand, and reverted by Argo CD within the last hour:'] : []),
    ...(earlier > 0 ? [`  ${counted(earlier, 'earlier one')}`] : []),
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
  const edited = how === '' ? ' differs, and the cluster does not tell who changed it' : `: ${how}`;
  return `  ${mark} ${titleOf(change)}${what === 'deleted' ? ' was deleted' : edited}; ${argocdLines[argocd]}`;
}

function healLine({ application, at, seconds, objects }: SelfHeal): string {
  const told = objects.map((object) => `${titleOf(object)} ${object.what === 'set back' ? 'set back' : 'recreated'}`);
  const what = told.join(', ') || `something of ${application} set back`;
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
