import type { Check } from './check.ts';
import { type DashboardFile, dashboardFiles, dataSourceUids, type Panel, panelsOf } from './dashboards/files.ts';
import type { Finding } from './finding.ts';
import type { FieldPath } from './located.ts';

/** Whether Grafana can show the dashboards, and a person can read them. What the panels ask for is `queries`. */
export const dashboards: Check = {
  name: 'dashboards',
  title: 'dashboards are complete',
  rules: {
    'dashboard-json': 'Every dashboard is valid JSON.',
    'dashboard-uid': 'Every dashboard has a uid of its own, under which its file is named.',
    'dashboard-title': 'Every dashboard has a title of its own and at least one panel.',
    'panel-id': 'No two panels of a dashboard have the same id.',
    'panel-title': 'Every panel has a title.',
    'panel-description': 'Every panel but a row says in its description what it shows.',
    'panel-data-source': 'Every panel and each of its queries names a provisioned data source by its uid.',
  },
  async run(repository) {
    const files = await dashboardFiles(repository);
    const uids = await dataSourceUids(repository);
    return files.flatMap((file) => {
      if (file.fault) return [unreadable(file)];
      return [...checkNames(file, files), ...checkPanels(file, uids)];
    });
  },
};

function unreadable({ embedded, fault }: DashboardFile): Finding {
  return {
    rule: 'dashboard-json',
    file: embedded.file,
    ...(fault?.line !== undefined && { line: fault.line }),
    message: `${embedded.key} is not valid JSON: ${fault?.message}.`,
    remedy: 'Correct the line, or export the dashboard from Grafana again.',
  };
}

function checkNames(file: DashboardFile, files: readonly DashboardFile[]): Finding[] {
  const { dashboard, embedded } = file;
  const { uid, title, panels } = dashboard;
  const before = files.slice(0, files.indexOf(file)).map((each) => each.dashboard);
  const findings: Finding[] = [];
  const found = (rule: string, path: FieldPath, what: string, remedy: string) =>
    findings.push(finding(file, rule, path, `${embedded.key} ${what}.`, remedy));
  if (uid === undefined || `${uid}.json` !== embedded.key) {
    found('dashboard-uid', ['uid'], uid === undefined ? 'has no uid' : `has the uid ${uid}`, 'Name the file UID.json.');
  } else if (before.some((other) => other.uid === uid)) {
    found('dashboard-uid', ['uid'], `has the uid ${uid}, which another dashboard has`, 'Give it a uid of its own.');
  }
  if (!title) found('dashboard-title', ['title'], 'has no title', 'Add a title.');
  else if (before.some((other) => other.title === title)) {
    found(
      'dashboard-title',
      ['title'],
      `has the title "${title}", which another dashboard has`,
      'Choose another title.',
    );
  }
  if (panels.length === 0) found('dashboard-title', ['panels'], 'has no panels', 'Add panels, or remove it.');
  return findings;
}

function checkPanels(file: DashboardFile, uids: ReadonlySet<string>): Finding[] {
  const seen = new Set<number>();
  return panelsOf(file.dashboard.panels).flatMap(({ panel, path }) => {
    const name = `${file.embedded.key}, panel ${panel.title ? `"${panel.title}"` : panel.id}`;
    const findings: Finding[] = [];
    const found = (rule: string, field: FieldPath, what: string, remedy: string) =>
      findings.push(finding(file, rule, [...path, ...field], `${name}: ${what}.`, remedy));
    if (panel.id !== undefined && seen.has(panel.id)) {
      found('panel-id', ['id'], `another panel has the id ${panel.id}`, 'Give it the next free number.');
    }
    if (panel.id !== undefined) seen.add(panel.id);
    if (!panel.title) found('panel-title', ['title'], 'it has no title', 'Say in a few words what it shows.');
    if (panel.type === 'row') return findings;
    if (!panel.description) {
      found(
        'panel-description',
        ['description'],
        'it has no description',
        'Say what it shows, and what is good and bad.',
      );
    }
    for (const { field, uid } of dataSources(panel)) {
      if (uid !== undefined && uids.has(uid)) continue;
      const what =
        uid === undefined ? 'names no data source' : `names the data source ${uid}, which is not provisioned`;
      const known = [...uids].join(' or ');
      found('panel-data-source', field, `it ${what}`, `Write {"type": "prometheus", "uid": "${known}"}.`);
    }
    return findings;
  });
}

/** The data source of a panel and of those of its queries that name their own. A text panel asks for nothing. */
function dataSources({ type, datasource, targets }: Panel): { field: FieldPath; uid: string | undefined }[] {
  if (type === 'text') return [];
  const uidOf = (source: Panel['datasource']) => (typeof source === 'string' ? source : source?.uid);
  const own = targets.map((target, index) => ({ source: target.datasource, field: ['targets', index, 'datasource'] }));
  return [
    { field: ['datasource'], uid: uidOf(datasource) },
    ...own
      .filter(({ source }) => source && uidOf(source) !== uidOf(datasource))
      .map(({ source, field }) => ({ field, uid: uidOf(source) })),
  ];
}

function finding(file: DashboardFile, rule: string, path: FieldPath, message: string, remedy: string): Finding {
  const line = file.line(path);
  return { rule, file: file.embedded.file, ...(line !== undefined && { line }), message, remedy };
}
