import { titleOf } from '../../kubernetes/objects.ts';
import type { Change, Drift, Heal } from './drift.ts';

/** As many as a screen has room for; `--json` has all. */
const shown = { fields: 3, heals: 5 };

/** What a person reads of it; nothing where nothing was changed by hand. */
export function driftLines({ now, healed, drilled }: Drift): string[] {
  const earlier = healed.length - shown.heals;
  return [
    ...drilled.map(
      ({ application, drill }) =>
        `✖ Application ${application} is at a commit of npm run drill (${drill}); once that is over, npm run up sets it back`,
    ),
    ...(now.length > 0 ? ['Changed by hand:', ...now.map(changeLine)] : []),
    ...(healed.length > 0 ? ['Changed by hand, and undone by Argo CD within the last hour:'] : []),
    ...(earlier > 0 ? [`  ${earlier} earlier ${earlier === 1 ? 'one' : 'ones'}`] : []),
    ...healed.slice(-shown.heals).map(healLine),
  ];
}

const outlook: Record<Change['argocd'], string> = {
  'sees it': 'Argo CD sees it',
  'has not looked yet': 'Argo CD has not looked since',
  'leaves it': 'Argo CD sees no difference from Git, so it stays',
};

function changeLine(change: Change): string {
  const { what, edits, argocd } = change;
  const mark = argocd === 'leaves it' ? '!' : '✖';
  const how = edits.map(({ by, at, fields }) => `${some(fields)} by ${by} at ${clock(at)}`).join(', ');
  const edited = how === '' ? ' differs, and nobody can tell by whom' : `: ${how}`;
  return `  ${mark} ${titleOf(change)}${what === 'deleted' ? ' was deleted' : edited}; ${outlook[argocd]}`;
}

function healLine({ application, at, seconds, objects }: Heal): string {
  const what =
    objects.length === 0
      ? `something of ${application} set back`
      : objects.map((object) => `${titleOf(object)} ${object.what}`).join(', ');
  return `  ✔ ${clock(at)}  ${what} in ${seconds.toFixed(1)} s`;
}

function some(fields: readonly string[]): string {
  const more = fields.length - shown.fields;
  return `${fields.slice(0, shown.fields).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** The time on this machine's clock, as 14:03:12. */
function clock(time: string): string {
  return new Date(time).toTimeString().slice(0, 8);
}
