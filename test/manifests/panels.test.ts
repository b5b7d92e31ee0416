// What panels show of series as they come, by promtool: the queries are those of the dashboards.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { stringify } from 'yaml';
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
