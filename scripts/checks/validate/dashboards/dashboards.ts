import { type DashboardFile, dashboardFiles, panelsOf } from '../../../repository/dashboards/dashboard.ts';
import { type AllowedEmpty, allowedEmptyFile } from '../../../repository/dashboards/files.ts';
import type { Finding, ValidationCheck } from '../../../repository/rendering/finding.ts';
import { type Embedded, embeddedTexts } from '../../../repository/rendering/manifests.ts';
import type { Repository } from '../../../repository/rendering/repository.ts';
import { mapIn, mapsIn, readYaml, type YamlDocument } from '../../../repository/yaml.ts';
import { scrapeInterval } from '../prometheus/files.ts';
import { ruleQueries } from '../queries/located.ts';
import { checkDashboard, dashboardRules } from './dashboard.ts';
import { checkPanels, panelRules } from './panels.ts';

const allowedEmptyRules = {
  'allowed-empty': `Every panel and rule in ${allowedEmptyFile} exists, stands there once, and has a reason.`,
};

/** Whether the list of what may be empty is about something that there is. */
async function checkAllowedEmpty(repository: Repository, files: readonly DashboardFile[]): Promise<Finding[]> {
  const [document] = readYaml(await repository.text(allowedEmptyFile).catch(() => ''));
  const value = mapIn<{ panels: unknown; rules: unknown }>(document?.value);
  const findings: Finding[] = [];
  const found = (path: (string | number)[], message: string, remedy: string) => {
    const line = document?.line(path);
    findings.push({
      rule: 'allowed-empty',
      file: allowedEmptyFile,
      ...(line !== undefined && { line }),
      message,
      remedy,
    });
  };
  if (document?.error) found([], `It is no YAML: ${document.error.message}.`, 'Correct the line.');

  const panels = new Set(
    files.flatMap(({ dashboard }) => panelsOf(dashboard.panels).map(({ panel }) => `${dashboard.uid}: ${panel.title}`)),
  );
  const rules = new Set((await ruleQueries(repository)).map(({ rule }) => String(rule.record ?? rule.alert)));
  const seen = new Set<string>();
  const check = (path: (string | number)[], name: string, known: ReadonlySet<string>, reason: unknown) => {
    if (!known.has(name)) found(path, `${name} does not exist.`, 'Correct the name, or take the entry out.');
    if (seen.has(name)) found(path, `${name} stands here twice.`, 'Take one of the two out.');
    seen.add(name);
    if (typeof reason !== 'string' || reason.trim().length < 10) {
      found(path, `${name} has no reason.`, 'Say why it has no data although all is well, and what gives it some.');
    }
  };
  for (const [index, one] of mapsIn<AllowedEmpty['panels'][number]>(value.panels).entries()) {
    check(['panels', index], `${one.dashboard}: ${one.panel}`, panels, one.reason);
  }
  for (const [index, one] of mapsIn<AllowedEmpty['rules'][number]>(value.rules).entries()) {
    check(['rules', index], String(one.rule), rules, one.reason);
  }
  return findings;
}

const dataSourceRules = {
  'data-source-interval':
    "The data source's timeInterval is the scrape_interval of Prometheus: $__rate_interval is made of it.",
};

interface DataSource {
  embedded: Embedded;
  document: YamlDocument;
  index: number;
  uid: string | undefined;
  interval: string | undefined;
}

/** The uids of the data sources that Grafana is provisioned with. */
async function dataSourceUids(repository: Repository): Promise<Set<string>> {
  return new Set((await dataSources(repository)).flatMap(({ uid }) => uid ?? []));
}

/** Whether Grafana knows how often Prometheus scrapes: a rate over less than two scrapes is empty. */
async function checkIntervals(repository: Repository): Promise<Finding[]> {
  const wanted = await scrapeInterval(repository);
  return (await dataSources(repository)).flatMap(({ embedded, document, index, uid, interval }): Finding[] => {
    if (wanted === undefined || interval === wanted) return [];
    const line = embedded.line(document.line(['datasources', index, 'jsonData', 'timeInterval']) ?? 1);
    const message = `The data source ${uid} has the timeInterval ${interval}, and Prometheus scrapes every ${wanted}.`;
    const remedy = `Write timeInterval: ${wanted}.`;
    return [
      { rule: 'data-source-interval', file: embedded.file, ...(line !== undefined && { line }), message, remedy },
    ];
  });
}

async function dataSources(repository: Repository): Promise<DataSource[]> {
  const texts = await embeddedTexts(repository, 'observability/grafana/');
  return texts
    .filter(({ text }) => /^datasources:/m.test(text))
    .flatMap((embedded) => {
      const [document] = readYaml(embedded.text);
      if (document === undefined) return [];
      const { datasources } = mapIn<{ datasources: unknown }>(document.value);
      return mapsIn<{ uid: string; jsonData: unknown }>(datasources).map(({ uid, jsonData }, index) => {
        const { timeInterval: interval } = mapIn<{ timeInterval: string }>(jsonData);
        return { embedded, document, index, uid, interval };
      });
    });
}

/** Whether Grafana can show the dashboards, and a person can read them. What the panels ask for is `queries`. */
export const validateDashboards: ValidationCheck = {
  name: 'dashboards',
  title: 'dashboards are complete',
  rules: { ...dashboardRules, ...panelRules, ...dataSourceRules, ...allowedEmptyRules },
  async run(repository) {
    const files = await dashboardFiles(repository);
    const uids = await dataSourceUids(repository);
    const found = files.flatMap((file) =>
      file.fault
        ? [unreadable(file)]
        : [...checkDashboard(repository.root, file, files, uids), ...checkPanels(file, uids)],
    );
    return [...found, ...(await checkIntervals(repository)), ...(await checkAllowedEmpty(repository, files))];
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
