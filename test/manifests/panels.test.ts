// What panels show of series as they come, by promtool: the queries are those of the dashboards.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { capacityForADay, readPrometheusLimits, sizeInBytes } from '../../scripts/checks/verify/capacity.ts';
import { asDashboard, type Panel, panelsOf } from '../../scripts/repository/dashboards/dashboard.ts';
import { panelQueriesOf } from '../../scripts/repository/dashboards/queries.ts';
import { root } from '../support/helm.ts';

const needsPromtool = {
  skip: spawnSync('promtool', ['--version']).status === 0 ? false : 'promtool is not on the PATH',
};
const rules = join(root, 'observability/prometheus/config/rules/red.yml');

/** The query of a panel, the first of them if it has several. */
function queryOf(dashboard: string, panel: string): string {
  const json = JSON.parse(readFileSync(join(root, `observability/grafana/dashboards/${dashboard}.json`), 'utf8'));
  return panelQueriesOf(json).find((question) => question.panel === panel)?.expr ?? assert.fail(panel);
}

/** Holds a panel's answer after ten minutes against what is expected: each series' labels and value. */
function shows(query: string, input: Record<string, string>, expected: Record<string, number>): void {
  const folder = mkdtempSync(join(tmpdir(), 'panels-'));
  const series = Object.entries(input).map(([name, values]) => ({ series: name, values }));
  const samples = Object.entries(expected).map(([labels, value]) => ({ labels, value }));
  const file = join(folder, 'test.yml');
  writeFileSync(
    file,
    stringify({
      rule_files: [rules],
      evaluation_interval: '15s',
      fuzzy_compare: true,
      tests: [
        {
          interval: '15s',
          input_series: series,
          promql_expr_test: [{ expr: query, eval_time: '10m', exp_samples: samples }],
        },
      ],
    }),
  );
  const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', file], { encoding: 'utf8' });
  rmSync(folder, { recursive: true });
  assert.equal(status, 0, stdout + stderr);
}

const info = 'argocd_app_info{name="core-go",namespace="argocd",dest_namespace="default"}';
const syncs = 'argocd_app_sync_total{name="core-go",namespace="argocd",phase="Succeeded"}';

for (const [what, input, expected] of [
  ['that Argo CD has not made since it started', { [info]: '1x50' }, { '{name="core-go"}': 0 }],
  // Prometheus was stopped as well, so nothing has ended the series: it counts as present for five minutes.
  ['of an Argo CD that was stopped two minutes ago', { [info]: '1x50', [syncs]: '3x32' }, { '{name="core-go"}': 0 }],
  ['that Argo CD makes now', { [info]: '1x50', [syncs]: '3x38 4x5' }, { '{name="core-go",phase="Succeeded"}': 4 / 3 }],
] as const)
  test(`Syncs: those ${what}`, needsPromtool, () => shows(queryOf('gitops', 'Syncs'), { ...input }, { ...expected }));

const up = 'up{job="ingress-nginx"}';
const coreGo = (status: number) =>
  `http_requests_total{namespace="default",service="core-go",path="/info",status="${status}",pod="a"}`;
const ingress = (status: number) =>
  `nginx_ingress_controller_requests{namespace="default",service="api-node",path="/",status="${status}"}`;
const probes = 'http_requests_total{namespace="default",service="api-node",path="/",status="200",pod="a"}';

const failing = {
  [up]: '1x50',
  [coreGo(200)]: '0+8x50',
  [coreGo(500)]: '0+2x50',
  [ingress(200)]: '0+8x50',
  [ingress(502)]: '0+2x50',
  [probes]: '0+900x50',
};

test('a fifth of the requests fails: the error panels of core-go and api-node', needsPromtool, () => {
  shows(queryOf('core-go', 'Errors'), failing, { '{}': 0.2 });
  shows(queryOf('api-node', 'Errors'), failing, { '{}': 0.2 });
  shows(queryOf('core-go', 'Request rate by status'), failing, { '{status="200"}': 8 / 15, '{status="500"}': 2 / 15 });
  shows(queryOf('api-node', 'Requests at the ingress by status'), failing, {
    '{status="200"}': 8 / 15,
    '{status="502"}': 2 / 15,
  });
  shows(queryOf('platform-overview', 'Error ratio'), failing, {
    'service:http_request_errors:ratio_rate5m{namespace="default",service="api-node"}': 0.2,
    'service:http_request_errors:ratio_rate5m{namespace="default",service="core-go"}': 0.2,
  });
});

const throttled = (name: string) => `container_cpu_cfs_${name}{namespace="default",container="core-go",pod="a"}`;

test('a container that its CPU limit stops in a quarter of the time', needsPromtool, () => {
  const input = { [throttled('periods_total')]: '0+40x50', [throttled('throttled_periods_total')]: '0+10x50' };
  shows(queryOf('core-go', 'CPU slowed down by its limit'), input, { '{pod="a"}': 0.25 });
});

test('the CPU limit is drawn beside the CPU in use, in cores', needsPromtool, () => {
  const spec = (name: string) => `container_spec_cpu_${name}{namespace="default",container="core-go",pod="a"}`;
  const limit = panelQueriesOf(boards.get('core-go')).findLast(({ panel }) => panel === 'CPU')?.expr ?? '';
  shows(limit, { [spec('quota')]: '50000x50', [spec('period')]: '100000x50' }, { '{}': 0.5 });
});

const folder = 'observability/grafana/dashboards';
const boards = new Map(
  readdirSync(join(root, folder)).map((file) => [
    file.replace('.json', ''),
    JSON.parse(readFileSync(join(root, folder, file), 'utf8')) as unknown,
  ]),
);
const textOf = (file: string) => readFileSync(join(root, file), 'utf8');
type Drawn = Panel & {
  options?: { legend?: object };
  fieldConfig: { defaults: { max?: number }; overrides?: object[] };
};
const drawn = [...boards].flatMap(([uid, json]) =>
  panelsOf(asDashboard(json).panels)
    .map(
      ({ path }) => path.reduce((at: unknown, part) => (at as Record<string | number, unknown>)[part], json) as Drawn,
    )
    .filter(({ type }) => type === 'timeseries')
    .map((panel) => ({ name: `${uid}, ${panel.title}`, panel })),
);
const legendsOf = ({ targets }: Drawn) =>
  (targets as { legendFormat?: string }[]).map(({ legendFormat }) => legendFormat);

test('a legend is a table with the last and the highest value, and no share is cut at 1', () => {
  const legend = { calcs: ['lastNotNull', 'max'], displayMode: 'table', placement: 'bottom', showLegend: true };
  assert(drawn.length > 30);
  for (const { name, panel } of drawn) {
    assert.deepEqual(panel.options?.legend, legend, name);
    assert.equal(panel.fieldConfig.defaults.max, undefined, name);
  }
});

test('a status of 5xx is red and one of 4xx orange, and a limit is a dashed line', () => {
  for (const [legend, patterns] of [
    ['{{status}}', [/"options":"\/\^5\/".*"fixedColor":"red"/, /"options":"\/\^4\/".*"fixedColor":"orange"/]],
    ['limit', [/"options":"limit".*"fill":"dash"/]],
  ] as const) {
    const found = drawn.filter(({ panel }) => legendsOf(panel).includes(legend));
    assert(found.length > 2, legend);
    for (const { name, panel } of found)
      for (const pattern of patterns) assert.match(JSON.stringify(panel.fieldConfig.overrides), pattern, name);
  }
});

test('a mark of a promotion is found over any range: it lasts as long as a step of the query', () => {
  for (const [uid, json] of boards)
    for (const { name, expr = '' } of asDashboard(json).annotations as { name: string; expr?: string }[])
      assert.doesNotMatch(expr.replaceAll('$__rate_interval', ''), /offset \d|increase\(.*\[\d/, `${uid}, ${name}`);
});

interface Alert {
  alert?: string;
  annotations: { runbook_url: string };
}
const alerts = ['prometheus', 'alertmanager', 'kube-state-metrics', 'node-exporter'].flatMap((part) => {
  const rules = join(root, 'observability', part, 'config/rules');
  return readdirSync(rules).flatMap((file) =>
    (parse(readFileSync(join(rules, file), 'utf8')) as { groups: { rules: Alert[] }[] }).groups.flatMap(
      ({ rules: all }) => all.filter(({ alert }) => alert !== undefined),
    ),
  );
});

test('every alert that fires leads to its own runbook, and Watchdog is left out', needsPromtool, () => {
  const labels = (name = '') => `alertname="${name}",severity="warning"`;
  const input = alerts.map(({ alert }) => [`ALERTS{alertstate="firing",${labels(alert)}}`, '1x50']);
  const told = alerts.filter(({ alert }) => alert !== 'Watchdog');
  assert.equal(told.length, alerts.length - 1);
  const expected = told.map(({ alert, annotations }) => {
    const page = /runbooks\/(.+)\.md#/.exec(annotations.runbook_url)?.[1];
    return [`{${labels(alert)},runbook="${page}"}`, 1];
  });
  shows(queryOf('platform-overview', 'What is wrong'), Object.fromEntries(input), Object.fromEntries(expected));
  shows(queryOf('platform-overview', 'Alerts firing'), Object.fromEntries(input), { '{}': told.length });
});

test('what is too much for Prometheus follows from its limits in the manifests', async () => {
  const limits = await readPrometheusLimits(root);
  const fits = (series: number) => capacityForADay({ samplesPerSecond: 0, bytesPerSample: 1, series }, limits).fits;
  const most = Array.from({ length: 1000 }, (_, thousands) => thousands * 1000).findLast(fits) ?? 0;
  const panel = panelsOf(asDashboard(boards.get('prometheus')).panels).find(
    ({ panel: { title } }) => title === 'Series',
  );
  const steps = panel?.panel.fieldConfig.defaults.steps.map(({ value }) => value);
  assert.deepEqual(steps, [null, most * 0.7, most * 0.9]);

  const rules = textOf('observability/prometheus/config/rules/prometheus.yml');
  const deployment = textOf('observability/prometheus/deployment.yaml');
  const [claim] = parseAllDocuments(textOf('observability/prometheus/storage/claim.yaml')).map((one) => one.toJS());
  const size = sizeInBytes(claim.spec.resources.requests.storage);
  assert.match(rules, new RegExp(`/ ${size} > 0\\.85`));
  assert.equal(sizeInBytes(/sizeLimit: (\S+)/.exec(deployment)?.[1] ?? ''), size);
});
