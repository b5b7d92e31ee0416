import { type DashboardFile, type Panel, panelsOf, uidOf } from '../../../repository/dashboards/dashboard.ts';
import type { Fault } from './dashboard.ts';

export const panelRules = {
  'panel-id': 'No two panels of a dashboard have the same id.',
  'panel-title': 'Every panel has a title, which no other of its dashboard has.',
  'panel-description': 'Every panel but a row says in its description what it shows.',
  'panel-data-source': 'Every panel and each of its queries names a provisioned data source by its uid.',
  'panel-query': 'Every panel but a row or a text has a query.',
  'panel-unit': "Every panel with a query says what its numbers are, by one of Grafana's units.",
  'panel-thresholds':
    'Every stat says from which number on it is good or bad: its thresholds begin with no number and rise.',
};

/** Those that ask for nothing. */
const typesWithoutQueries = ['row', 'text', 'dashlist', 'alertlist', 'news', 'annolist'];

/** What each panel of a dashboard has. */
export function* checkPanels({ dashboard }: DashboardFile, uids: ReadonlySet<string>): Iterable<Fault> {
  const ids = new Set<number>();
  const titles = new Set<string>();
  for (const { panel, path } of panelsOf(dashboard.panels)) {
    const { id, title } = panel;
    const faults: Fault[] = [...checkPanel(panel, uids)];
    if (id !== undefined && ids.has(id))
      faults.push(['panel-id', ['id'], `another panel has the id ${id}`, 'Give it the next free number.']);
    const remedy = 'Say in a few words what it shows: other files know it by that.';
    if (!title) faults.push(['panel-title', ['title'], 'it has no title', remedy]);
    else if (titles.has(title)) faults.push(['panel-title', ['title'], 'another panel has this title', remedy]);
    if (id !== undefined) ids.add(id);
    if (title) titles.add(title);
    const name = `, panel ${title ? `"${title}"` : id}: `;
    for (const [rule, field, what, todo] of faults) yield [rule, [...path, ...field], name + what, todo];
  }
}

function* checkPanel(panel: Panel, uids: ReadonlySet<string>): Iterable<Fault> {
  const { type = '', description, targets } = panel;
  if (type === 'row') return;
  if (!description) {
    const remedy = 'Say what it shows, and what is good and bad.';
    yield ['panel-description', ['description'], 'it has no description', remedy];
  }
  if (typesWithoutQueries.includes(type)) return;
  yield* checkDataSources(panel, uids);
  if (targets.length === 0) yield ['panel-query', [], 'it asks for nothing', 'Add a query, or take the panel out.'];
  const { unit, steps } = panel.fieldConfig.defaults;
  if (unit === undefined || !isUnit(unit)) {
    const what = unit === undefined ? 'it has no unit' : `it has the unit ${unit}, which Grafana does not know`;
    const remedy =
      'Write reqps, s, bytes, percentunit or short, say; scripts/checks/validate/dashboards/panels.ts has the list.';
    yield ['panel-unit', ['fieldConfig', 'defaults', 'unit'], what, remedy];
  }
  const [first, ...others] = steps;
  const rises = others.every(({ value }, index) => index === 0 || Number(value) > Number(others[index - 1]?.value));
  if (type !== 'stat' || (first !== undefined && (first.value ?? null) === null && rises)) return;
  const what = first === undefined ? 'it has no thresholds' : 'its thresholds are not in order';
  const remedy =
    'The first step has the value null and holds below all others; a number that is neither good nor bad has it only.';
  yield ['panel-thresholds', ['fieldConfig', 'defaults', 'thresholds'], what, remedy];
}

function* checkDataSources({ datasource, targets }: Panel, uids: ReadonlySet<string>): Iterable<Fault> {
  const own = targets.map((target, index) => ({ source: target.datasource, field: ['targets', index, 'datasource'] }));
  const named = own.filter(({ source }) => source && uidOf(source) !== uidOf(datasource));
  for (const { source, field } of [{ source: datasource, field: ['datasource'] }, ...named]) {
    const uid = uidOf(source);
    if (uid !== undefined && uids.has(uid)) continue;
    const what = uid === undefined ? 'names no data source' : `names the data source ${uid}, which is not provisioned`;
    const remedy = `Write {"type": "prometheus", "uid": "${[...uids].join(' or ')}"}.`;
    yield ['panel-data-source', field, `it ${what}`, remedy];
  }
}

/**
 * The units of Grafana that a dashboard here may name, by the ids of its list of value formats (@grafana/data 13.2,
 * valueFormats/categories): those of programs and machines. Grafana shows an id that it doesn't know behind the number, as it
 * stands, so that a typing mistake is easily overlooked.
 */
const units = new Set(
  [
    'none short sishort percent percentunit hex sci locale',
    'bytes decbytes bits decbits kbytes mbytes gbytes',
    'Bps binBps bps binbps pps KBs MBs KiBs MiBs',
    'ns µs ms s m h d dtdurations dtdurationms clocks clockms',
    'dateTimeAsIso dateTimeAsLocal dateTimeFromNow',
    'cps ops reqps rps wps iops eps mps recps rowsps cpm opm reqpm rpm wpm epm mpm',
    'hertz bool bool_yes_no bool_on_off string',
  ].flatMap((line) => line.split(' ')),
);

/** Whether Grafana knows the unit. `suffix:jobs`, `prefix:` and `count:` are made up on purpose. */
function isUnit(unit: string): boolean {
  return units.has(unit) || /^(suffix|prefix|count|si|currency|time|bool):/.test(unit);
}
