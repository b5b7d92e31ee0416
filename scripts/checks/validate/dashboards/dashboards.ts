import { type DashboardFile, dashboardFiles, panelsOf } from '../../../repository/dashboards/dashboard.ts';
import { allowedEmptyFile } from '../../../repository/dashboards/files.ts';
import type { Finding } from '../../../repository/rendering/finding.ts';
import { embeddedTexts } from '../../../repository/rendering/manifests.ts';
import type { Repository, ValidationCheck } from '../../../repository/rendering/repository.ts';
import { type FieldPath, mapIn, mapsIn, readYaml } from '../../../repository/yaml.ts';
import { ruleQueries, scrapeInterval } from '../prometheus/located.ts';
import { checkDashboard, dashboardRules } from './dashboard.ts';

/** Whether Grafana can show the dashboards, and whether they can be read. What the panels ask for is `queries`. */
export const validateDashboards: ValidationCheck = {
  name: 'dashboards',
  title: 'dashboards are complete',
  rules: {
    ...dashboardRules,
    'data-source-interval':
      "The data source's timeInterval is the scrape_interval of Prometheus: $__rate_interval is made of it.",
    'allowed-empty': `Every panel and rule in ${allowedEmptyFile} exists, stands there once, and has a reason.`,
  },
  async run(repository) {
    const files = await dashboardFiles(repository);
    const sources = await dataSources(repository);
    const uids = new Set(sources.flatMap(({ uid }) => uid ?? []));
    const wanted = await scrapeInterval(repository);
    return [
      ...files.flatMap((file) => checkFile(repository.root, file, files, uids)),
      // A rate over less than two scrapes is empty.
      ...sources
        .filter(({ interval }) => wanted !== undefined && interval !== wanted)
        .map(({ file, line, uid, interval }) => ({
          rule: 'data-source-interval',
          file,
          line,
          message: `The data source ${uid} has the timeInterval ${interval}, and Prometheus scrapes every ${wanted}.`,
          remedy: `Write timeInterval: ${wanted}.`,
        })),
      ...(await checkAllowedEmpty(repository, files)),
    ];
  },
};

function checkFile(
  root: string,
  file: DashboardFile,
  files: readonly DashboardFile[],
  uids: ReadonlySet<string>,
): Finding[] {
  const { embedded, fault } = file;
  const at = { file: embedded.file };
  if (fault) {
    const message = `${embedded.key} is not valid JSON: ${fault.message}.`;
    const remedy = 'Correct the line, or export the dashboard from Grafana again.';
    return [{ ...at, rule: 'dashboard-json', line: fault.line, message, remedy }];
  }
  return Array.from(checkDashboard(root, file, files, uids), ([rule, path, what, remedy, fix]) => ({
    ...at,
    rule,
    line: file.line(path),
    message: `${embedded.key}${what}.`,
    remedy,
    fix,
  }));
}

/** The data sources that Grafana is provisioned with, those that answer PromQL. */
async function dataSources(
  repository: Repository,
): Promise<{ file: string; line: number | undefined; uid: string | undefined; interval: unknown }[]> {
  const texts = await embeddedTexts(repository, 'observability/grafana/');
  return texts
    .filter(({ configMap }) => configMap.object.metadata.name === 'grafana-datasources')
    .flatMap((embedded) => {
      const [document] = readYaml(embedded.text);
      const { datasources } = mapIn<{ datasources: unknown }>(document?.value);
      return mapsIn<{ uid: string; type: string; jsonData: unknown }>(datasources)
        .map(({ uid, type, jsonData }, index) => ({
          file: embedded.file,
          line: embedded.line(document?.line(['datasources', index, 'jsonData', 'timeInterval']) ?? 1),
          uid,
          type,
          interval: mapIn<{ timeInterval: unknown }>(jsonData).timeInterval,
        }))
        .filter(({ type }) => type === 'prometheus');
    });
}

/** Whether the list of what may be empty names what exists. */
async function checkAllowedEmpty(repository: Repository, files: readonly DashboardFile[]): Promise<Finding[]> {
  const [document] = readYaml(await repository.text(allowedEmptyFile).catch(() => ''));
  const found = (path: FieldPath, message: string, remedy: string): Finding => {
    return { rule: 'allowed-empty', file: allowedEmptyFile, line: document?.line(path), message, remedy };
  };
  if (document?.error) return [found([], `It is not valid YAML: ${document.error.message}.`, 'Correct the line.')];
  const rules = (await ruleQueries(repository)).map(({ rule }) => String(rule.record ?? rule.alert));
  const panels = files.flatMap(({ dashboard }) =>
    panelsOf(dashboard.panels).map(({ panel }) => `${dashboard.uid}: ${panel.title}`),
  );
  const list = mapIn<{ panels: unknown; rules: unknown }>(document?.value);
  const entries = [
    ...mapsIn<Record<string, unknown>>(list.panels).map(({ dashboard, panel, reason }, index) => {
      return { path: ['panels', index], name: `${dashboard}: ${panel}`, reason };
    }),
    ...mapsIn<Record<string, unknown>>(list.rules).map(({ rule, reason }, index) => {
      return { path: ['rules', index], name: String(rule), reason };
    }),
  ];
  const why = 'Say why it has no data although all is well, and what gives it some.';
  return entries.flatMap(({ path, name, reason }, index) => {
    const faults: [isFault: boolean, what: string, remedy: string][] = [
      [![...panels, ...rules].includes(name), 'does not exist', 'Correct the name, or take the entry out.'],
      [entries.findIndex((one) => one.name === name) < index, 'stands here twice', 'Take one of the two out.'],
      [typeof reason !== 'string' || reason.trim().length < 10, 'has no reason', why],
    ];
    return faults.filter(([isFault]) => isFault).map(([, what, todo]) => found(path, `${name} ${what}.`, todo));
  });
}
