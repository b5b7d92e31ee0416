import { join } from 'node:path';
import { writeWhole } from '../../../lib/files.ts';
import { type DashboardFile, type Panel, panelsOf, uidOf } from '../../../repository/dashboards/dashboard.ts';
import { fileText, type JsonMap } from '../../../repository/dashboards/normal-form.ts';
import { variablesIn } from '../../../repository/dashboards/queries.ts';
import type { Fault } from '../objects/rule.ts';

export const dashboardRules = {
  'dashboard-json': 'Every dashboard is valid JSON.',
  'dashboard-form':
    'Every dashboard is written as npm run dashboards -- pull writes it, so that its changes can be read.',
  'dashboard-uid': 'Every dashboard has a uid of its own, under which its file is named.',
  'dashboard-title': 'Every dashboard has a title of its own and at least one panel.',
  'dashboard-links':
    'Every dashboard has a link to all others, by a tag that all have, which keeps time and variables.',
  'dashboard-annotations':
    'Every dashboard marks promotions: it has an annotation with a query of a provisioned data source.',
  'variable-used':
    'Every variable of a dashboard is used in it, and one that is asked for names a provisioned data source.',
  'panel-id': 'No two panels of a dashboard have the same id.',
  'panel-title': 'Every panel has a title, which no other of its dashboard has.',
  'panel-description': 'Every panel but a row says in its description what it shows.',
  'panel-data-source': 'Every panel and each of its queries names a provisioned data source by its uid.',
  'panel-query': 'Every panel but a row or a text has a query.',
  'panel-unit': "Every panel with a query says what its numbers are, by one of Grafana's units.",
  'panel-thresholds':
    'Every stat says from which number on it is good or bad: its thresholds begin with no number and rise.',
};

/** What is wrong with a dashboard as a whole, and with its panels. The messages go on where its name ends. */
export function* checkDashboard(
  root: string,
  file: DashboardFile,
  files: readonly DashboardFile[],
  uids: ReadonlySet<string>,
): Iterable<Fault> {
  yield* checkForm(root, file);
  yield* checkNames(file, files);
  yield* checkLinks(file, files);
  yield* checkAnnotations(file, uids);
  yield* checkPanels(file, uids);
  const used = new Set(variablesIn(file.embedded.text));
  for (const [index, { name = '', type, datasource }] of file.dashboard.variables.entries()) {
    const path = ['templating', 'list', index];
    if (!used.has(name))
      yield ['variable-used', path, `'s variable ${name} is used nowhere`, 'Use it, or take it out.'];
    if (type !== 'query' || uids.has(uidOf(datasource) ?? '')) continue;
    yield [
      'variable-used',
      path,
      `'s variable ${name} names no data source that is provisioned`,
      'Name it by its uid.',
    ];
  }
}

function* checkForm(root: string, { embedded }: DashboardFile): Iterable<Fault> {
  const text = fileText(JSON.parse(embedded.text) as JsonMap);
  if (text === embedded.text) return;
  const [lines, wanted] = [embedded.text.split('\n'), text.split('\n')];
  const line = wanted.findIndex((each, index) => each !== lines[index]) + 1;
  const what = ` is not in the form in which it is pulled, from line ${line} on`;
  const fix = async () => writeWhole(join(root, embedded.file), text);
  yield ['dashboard-form', [], what, 'npm run validate -- dashboards --fix puts it into that form.', fix];
}

function* checkNames(file: DashboardFile, files: readonly DashboardFile[]): Iterable<Fault> {
  const { uid, title, panels } = file.dashboard;
  const before = files.slice(0, files.indexOf(file)).map((each) => each.dashboard);
  if (uid === undefined || `${uid}.json` !== file.embedded.key) {
    const what = uid === undefined ? ' has no uid' : ` has the uid ${uid}`;
    yield ['dashboard-uid', ['uid'], what, 'Name the file UID.json.'];
  } else if (before.some((other) => other.uid === uid)) {
    yield ['dashboard-uid', ['uid'], ` has the uid ${uid}, which another dashboard has`, 'Give it a uid of its own.'];
  }
  if (!title) yield ['dashboard-title', ['title'], ' has no title', 'Add a title.'];
  else if (before.some((other) => other.title === title)) {
    const what = ` has the title "${title}", which another dashboard has`;
    yield ['dashboard-title', ['title'], what, 'Choose another title.'];
  }
  if (panels.length === 0) yield ['dashboard-title', ['panels'], ' has no panels', 'Add panels, or remove it.'];
}

/** The link of each dashboard finds those that have its tags. */
function* checkLinks({ dashboard: { links, tags } }: DashboardFile, files: readonly DashboardFile[]): Iterable<Fault> {
  const remedy =
    'Add a link of the type dashboards, with a tag that all have, includeVars and keepTime, as the others do.';
  const all = links.find(({ type }) => type === 'dashboards');
  if (all === undefined) yield ['dashboard-links', ['links'], ' has no link to the other dashboards', remedy];
  else if (!all.keepTime || !all.includeVars)
    yield ['dashboard-links', ['links'], "'s link forgets the time or the variables", remedy];
  const wanted = new Set(files.flatMap(({ dashboard }) => dashboard.links.flatMap((link) => link.tags ?? [])));
  const missing = [...wanted].filter((tag) => !tags.includes(tag));
  if (missing.length === 0) return;
  const what = ` lacks the tag ${missing.join(' and ')}, by which the links of the others find it`;
  yield ['dashboard-links', ['tags'], what, 'Add the tag.'];
}

function* checkAnnotations({ dashboard: { annotations } }: DashboardFile, uids: ReadonlySet<string>): Iterable<Fault> {
  const queries = annotations.filter(({ enable, expr, target }) => enable && (expr ?? target) !== undefined);
  if (queries.length === 0) {
    const remedy = "Copy another dashboard's annotation of a new version, and have it ask for what this one is about.";
    yield ['dashboard-annotations', ['annotations'], ' marks no promotion', remedy];
  }
  for (const annotation of queries) {
    if (uids.has(uidOf(annotation.datasource) ?? '')) continue;
    const what = `'s annotation "${annotation.name}" names no data source that is provisioned`;
    const path = ['annotations', 'list', annotations.indexOf(annotation)];
    yield ['dashboard-annotations', path, what, 'Name it by its uid.'];
  }
}

/** Those that ask for nothing. */
const typesWithoutQueries = ['row', 'text', 'dashlist', 'alertlist', 'news', 'annolist'];

/** What each panel of a dashboard has. */
function* checkPanels({ dashboard }: DashboardFile, uids: ReadonlySet<string>): Iterable<Fault> {
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
      'Write reqps, s, bytes, percentunit or short, say; scripts/checks/validate/dashboards/dashboard.ts has the list.';
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
