// What the services label their requests with (docs/decisions/prometheus.md), and what the rules and dashboards ask for.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { STATUS_CODES } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { dashboardQueries, ruleQueries } from '../../scripts/checks/validate/prometheus/located.ts';
import { type Matcher, readQuery } from '../../scripts/checks/validate/prometheus/promql.ts';
import { withoutVariables } from '../../scripts/repository/dashboards/queries.ts';
import { openRepository } from '../../scripts/repository/rendering/repository.ts';
import { at, find, needsHelm, render, root } from '../support/helm.ts';

interface Replacement {
  source_labels: string[];
  regex: string;
  target_label: string;
  replacement: string;
}

const config = parse(readFileSync(join(root, 'observability/prometheus/config/prometheus.yml'), 'utf8')) as {
  scrape_configs: {
    job_name: string;
    relabel_configs?: { source_labels: string[]; target_label?: string }[];
    metric_relabel_configs?: (Replacement & { action?: string })[];
  }[];
};
const jobOf = (wanted: string) => config.scrape_configs.find(({ job_name: name }) => name === wanted);
const replacements = jobOf('services')?.metric_relabel_configs ?? [];

/** The label after the scrape, as Prometheus computes it: the rules run in order, each on what the one before made. */
const kept = (status: string) =>
  replacements.reduce(
    (value, rule) => (new RegExp(`^(?:${rule.regex})$`).test(value) ? rule.replacement : value),
    status,
  );

/** Where Go's net/http (status.go, StatusText) spells a phrase in another way than Node.js does. */
const spelledByGo: Record<string, string> = {
  413: 'Request Entity Too Large',
  414: 'Request URI Too Long',
  416: 'Requested Range Not Satisfiable',
  418: "I'm a teapot",
};

test('every reason phrase becomes its number, and a number stays', () => {
  for (const [code, phrase] of [...Object.entries(STATUS_CODES), ...Object.entries(spelledByGo)]) {
    assert.equal(kept(phrase ?? ''), code);
    assert.equal(kept(code), code);
  }
  for (const other of ['', 'Error', 'Not Found At All']) assert.equal(kept(other), other);
  for (const { source_labels, target_label } of replacements)
    assert.deepEqual([source_labels, target_label], [['status'], 'status']);
});

test('a ServiceMonitor does the same for the Prometheus Operator', needsHelm, async () => {
  const options = ['--set', 'serviceMonitor.enabled=true'];
  const monitor = find(await render('core-go', { options }), 'ServiceMonitor');
  assert.deepEqual(
    at(monitor, 'spec', 'endpoints', 0, 'metricRelabelings'),
    replacements.map(({ regex, replacement }) => ({
      sourceLabels: ['status'],
      regex,
      targetLabel: 'status',
      replacement,
    })),
  );
});

test(
  'a ServiceMonitor gives the labels that the dashboards use, from where the local Prometheus takes them',
  needsHelm,
  async () => {
    const monitor = find(
      await render('core-go', { options: ['--set', 'serviceMonitor.enabled=true'] }),
      'ServiceMonitor',
    );
    const rules = jobOf('services')?.relabel_configs ?? [];
    const local = ['service', 'version'].map((label) => ({
      sourceLabels: rules.find(({ target_label: target }) => target === label)?.source_labels,
      targetLabel: label,
    }));
    assert.deepEqual(at(monitor, 'spec', 'endpoints', 0, 'relabelings'), local);
    assert.equal(at(monitor, 'spec', 'jobLabel'), 'app.kubernetes.io/name');
  },
);

test('made-up methods cost no sample, and known ones, and metrics without a method, are kept', () => {
  const rule = jobOf('ingress')?.metric_relabel_configs?.find(({ action }) => action === 'keep');
  assert.deepEqual(rule?.source_labels, ['method']);
  const isKept = (method: string) => new RegExp(`^(?:${rule?.regex})$`).test(method);
  for (const method of ['', 'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) assert(isKept(method), method);
  for (const method of ['MADE-UP', 'GETS', 'get', 'GET POST']) assert(!isKept(method), method);
});

type Labels = Record<string, string>;
const namespace = 'default';

/** Requests and errors as the real services count them. */
const seen: readonly Labels[] = [
  { namespace, service: 'api-node', method: 'GET', path: '/', status: '200', le: '0.1' },
  { namespace, service: 'api-node', method: 'GET', path: '/', status: '502', le: '0.1' },
  { namespace, service: 'core-go', method: 'GET', path: '/info', status: 'OK', le: '0.1' },
  { namespace, service: 'core-go', method: 'GET', path: '/info', status: 'Internal Server Error', le: '0.1' },
];
const series = seen.map((labels): Labels => ({ ...labels, status: kept(labels.status ?? '') }));

const admits = (labels: Labels, { label, operator, value }: Matcher) => {
  const isRegex = operator.endsWith('~') || value === '.*';
  const matches = new RegExp(`^(?:${isRegex ? value : value.replaceAll('.', '\\.')})$`).test(labels[label] ?? '');
  return matches === operator.startsWith('=');
};

test('every query of requests finds those of each service that it asks for', async () => {
  const repository = openRepository(root.replace(/\/$/, ''), {} as never);
  const queries = [...(await ruleQueries(repository)), ...(await dashboardQueries(repository))];
  let looked = 0;
  for (const { expr, where } of queries) {
    const dashboard = /^([\w-]+)\.json, panel/.exec(where)?.[1];
    const service = ['api-node', 'core-go'].find((name) => name === dashboard);
    const text = withoutVariables(expr, new Map(service === undefined ? [] : [['service', service]]));
    for (const { name = '', matchers } of readQuery(text).selectors) {
      if (!/^http_request/.test(name)) continue;
      const ofService = matchers.filter(({ label }) => label === 'service');
      // What a service answers that got no answer from another one; core-go asks none.
      const ofGateway = matchers.some(({ label, value }) => label === 'status' && value === '502');
      const asked = series.filter(
        (labels) =>
          ofService.every((matcher) => admits(labels, matcher)) && !(ofGateway && labels.service === 'core-go'),
      );
      assert(asked.length > 0, `${where}: no service counts for ${name}`);
      for (const wanted of new Set(asked.map((labels) => labels.service))) {
        const found = asked.some(
          (labels) => labels.service === wanted && matchers.every((matcher) => admits(labels, matcher)),
        );
        assert(found, `${where}: ${expr} finds no request of ${wanted}`);
        looked += 1;
      }
    }
  }
  assert(looked > 20, `${looked} selectors`);
});
