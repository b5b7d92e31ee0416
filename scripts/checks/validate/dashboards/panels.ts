import { type DashboardFile, type Panel, panelsOf, uidOf } from '../../../repository/dashboards/dashboard.ts';
import type { Finding } from '../../../repository/rendering/finding.ts';
import { type AddFinding, collectFindings } from './dashboard.ts';

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
export function checkPanels(file: DashboardFile, uids: ReadonlySet<string>): Finding[] {
  const seen = { ids: new Set<number>(), titles: new Set<string>() };
  return collectFindings(file, (found) => {
    for (const { panel, path } of panelsOf(file.dashboard.panels)) {
      const name = `, panel ${panel.title ? `"${panel.title}"` : panel.id}: `;
      checkPanel(panel, uids, seen, (rule, field, what, remedy) =>
        found(rule, [...path, ...field], name + what, remedy),
      );
    }
  });
}

interface Seen {
  ids: Set<number>;
  titles: Set<string>;
}

function checkPanel(panel: Panel, uids: ReadonlySet<string>, seen: Seen, found: AddFinding): void {
  const { id, type, title, description } = panel;
  if (id !== undefined && seen.ids.has(id)) {
    found('panel-id', ['id'], `another panel has the id ${id}`, 'Give it the next free number.');
  }
  if (id !== undefined) seen.ids.add(id);
  const remedy = 'Say in a few words what it shows: other files know it by that.';
  if (!title) found('panel-title', ['title'], 'it has no title', remedy);
  else if (seen.titles.has(title)) found('panel-title', ['title'], 'another panel has this title', remedy);
  else seen.titles.add(title);
  if (type === 'row') return;
  if (!description) {
    found(
      'panel-description',
      ['description'],
      'it has no description',
      'Say what it shows, and what is good and bad.',
    );
  }
  if (typesWithoutQueries.includes(type ?? '')) return;
  checkDataSources(panel, uids, found);
  if (panel.targets.length === 0)
    found('panel-query', [], 'it asks for nothing', 'Add a query, or take the panel out.');
  checkUnit(panel, found);
  if (type === 'stat') checkThresholds(panel, found);
}

function checkDataSources({ datasource, targets }: Panel, uids: ReadonlySet<string>, found: AddFinding): void {
  const own = targets.map((target, index) => ({ source: target.datasource, field: ['targets', index, 'datasource'] }));
  const named = own.filter(({ source }) => source && uidOf(source) !== uidOf(datasource));
  for (const { source, field } of [{ source: datasource, field: ['datasource'] }, ...named]) {
    const uid = uidOf(source);
    if (uid !== undefined && uids.has(uid)) continue;
    const what = uid === undefined ? 'names no data source' : `names the data source ${uid}, which is not provisioned`;
    const remedy = `Write {"type": "prometheus", "uid": "${[...uids].join(' or ')}"}.`;
    found('panel-data-source', field, `it ${what}`, remedy);
  }
}

function checkUnit({ fieldConfig }: Panel, found: AddFinding): void {
  const unit = fieldConfig.defaults.unit;
  if (unit !== undefined && isUnit(unit)) return;
  const what = unit === undefined ? 'it has no unit' : `it has the unit ${unit}, which Grafana does not know`;
  const remedy =
    'Write reqps, s, bytes, percentunit or short, say; scripts/checks/validate/dashboards/panels.ts has the list.';
  found('panel-unit', ['fieldConfig', 'defaults', 'unit'], what, remedy);
}

function checkThresholds({ fieldConfig }: Panel, found: AddFinding): void {
  const [first, ...others] = fieldConfig.defaults.steps;
  const rises = others.every(({ value }, index) => index === 0 || Number(value) > Number(others[index - 1]?.value));
  if (first !== undefined && (first.value ?? null) === null && rises) return;
  const what = first === undefined ? 'it has no thresholds' : 'its thresholds are not in order';
  const remedy =
    'The first step has the value null and holds below all others; a number that is neither good nor bad has it only.';
  found('panel-thresholds', ['fieldConfig', 'defaults', 'thresholds'], what, remedy);
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

/** Whether Grafana knows the unit. Whoever writes `suffix:jobs`, `prefix:` or `count:` has made one up on purpose. */
function isUnit(unit: string): boolean {
  return units.has(unit) || /^(suffix|prefix|count|si|currency|time|bool):/.test(unit);
}
