import { join } from 'node:path';
import { writeWhole } from '../../../lib/files.ts';
import { type DashboardFile, uidOf } from '../../../repository/dashboards/dashboard.ts';
import { fileText, type JsonMap } from '../../../repository/dashboards/normal-form.ts';
import { variablesIn } from '../../../repository/dashboards/queries.ts';
import type { Finding } from '../../../repository/rendering/finding.ts';
import type { FieldPath } from '../../../repository/yaml.ts';

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
};

/** A rule that is broken, where, the rest of a sentence that begins with the dashboard's name, and what to do about it. */
export type Fault = [rule: string, path: FieldPath, what: string, remedy: string, fix?: Finding['fix']];

/** What a dashboard has as a whole. */
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
