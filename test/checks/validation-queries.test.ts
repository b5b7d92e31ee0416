// What `npm run validate` reads out of PromQL queries, and what it puts in place of Grafana's variables.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readQuery } from '../../scripts/checks/validate/prometheus/promql.ts';
import { undefinedVariables, withoutVariables } from '../../scripts/repository/dashboards/queries.ts';

const names = (query: string) => readQuery(query).selectors.map(({ name }) => name);

test('the metrics of a query, and nothing else that looks like a name', () => {
  const ratio =
    'sum by (service) (rate(errors_total[5m] offset 1h)) / on (service) group_left () sum(all_total) > bool 0.5';
  assert.deepEqual(names(ratio), ['errors_total', 'all_total']);
  assert.deepEqual(names('histogram_quantile(0.95, sum by (le) (rate(x_bucket[1m])))'), ['x_bucket']);
  assert.deepEqual(names('max_over_time(job:up:sum[1h:1m]) or vector(0)'), ['job:up:sum']);
  assert.deepEqual(names('label_replace(up, "a", "$1", "b", "(.*)") # node_load1'), ['up']);
});

test('a metric that is named inside of the braces', () => {
  assert.deepEqual(names('{__name__="up", job="a"}'), ['up']);
  assert.deepEqual(names('{"http.requests", job="a"}'), ['http.requests']);
  assert.deepEqual(names('{__name__=~"up|down"}'), [undefined]);
});

test('matchers, in each kind of quotes', () => {
  const [selector] = readQuery('up{a="x\\\\.y", b=\'it\\\'s\', c!~`\\d+`, "d.e"!="f"}').selectors;
  assert.deepEqual(selector?.matchers, [
    { label: 'a', operator: '=', value: 'x\\.y' },
    { label: 'b', operator: '=', value: "it's" },
    { label: 'c', operator: '!~', value: '\\d+' },
    { label: 'd.e', operator: '!=', value: 'f' },
  ]);
});

for (const [query, fault] of [
  ['sum(up', '"the end"'],
  ['sum(up))', '")"'],
  ['up{job="a}', '"the end"'],
  ['rates(up[5m])', '"(up[5m])"'],
  ['up +', '"the end"'],
  ['  ', 'nothing'],
] as const) {
  test(`"${query}" is not PromQL`, () => assert.equal(readQuery(query).fault, fault));
}

test('in place of a variable stands something that may stand there', () => {
  for (const [query, plain] of [
    ['rate(a[$__rate_interval])', 'rate(a[1m])'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: this is how Grafana writes a variable.
    ['rate(a{b=~"$pod", c="${ns:regex}"}[5m])', 'rate(a{b=~".*", c=".*"}[5m])'],
    ['topk($n, sum by ($label, x) (a))', 'topk(1, sum by (grafana_variable, x) (a))'],
    ['a offset $shift', 'a offset 1m'],
    ['[[metric]]{b="c"} / $__range_s', 'grafana_variable{b="c"} / 1'],
    ['a{b=~"x$|y"}', 'a{b=~"x$|y"}'],
  ] as const) {
    assert.equal(withoutVariables(query), plain);
    assert.equal(readQuery(plain).fault, undefined, plain);
  }
});

test('a variable is the own one of the dashboard, or one of Grafana', () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: this is how Grafana writes a variable.
  const query = 'label_replace(rate(a{b="$pod", c=~"${ns:pipe}"}[$__rate_interval]), "d", "$1", "e", "[[gone]]")';
  assert.deepEqual(undefinedVariables(query, new Set(['pod'])), ['ns', 'gone']);
  assert.deepEqual(undefinedVariables('rate(a[$__rate_intervall])', new Set()), ['__rate_intervall']);
});
