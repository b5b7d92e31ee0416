// The list of metrics, held against a Prometheus.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readMetricList } from '../../scripts/repository/metric-names.ts';
import { compareMetrics, namesPath } from '../support/metrics.ts';

const text = `api:
  recorded:
    - requests_total
    - errors_total
  documented:
    - node_info
`;

test('the list is read by job', () => {
  const { list, faults } = readMetricList(text);
  assert.deepEqual(faults, []);
  assert.deepEqual(list.get('api'), { recorded: ['requests_total', 'errors_total'], documented: ['node_info'] });
});

for (const [what, added, line, message] of [
  ['a metric twice', '    - requests_total\n', 7, /api lists requests_total twice/],
  ['no name of a metric', '    - no-metric\n', 7, /"no-metric" is no name/],
  ['an unknown group', '  guessed: [a]\n', 7, /"guessed"/],
  ['a job without metrics', 'worker:\n', 7, /worker lists no metric/],
  ['broken YAML', '   - a\n', 7, /./],
] as const) {
  test(`the list has ${what}`, () => {
    const { faults } = readMetricList(text + added);
    assert.equal(faults.length, 1);
    assert.equal(faults[0]?.line, line);
    assert.match(faults[0].message, message);
  });
}

test('a Prometheus has what was recorded, may have what is documented, and nothing else', () => {
  const { list } = readMetricList(text);
  const running = new Map([
    ['api', ['up', 'scrape_duration_seconds', 'requests_total', 'new_total']],
    ['unknown', ['up', 'x_total', 'ALERTS', 'ALERTS_FOR_STATE']],
  ]);
  assert.deepEqual(compareMetrics(list, running), {
    missing: ['api: errors_total'],
    unlisted: ['api: new_total', 'unknown: x_total'],
  });
  assert.deepEqual(compareMetrics(list, new Map()), { missing: [], unlisted: [] });
});

test("the question to Prometheus' API names the job", () => {
  const { pathname, searchParams } = new URL(namesPath('core-go'), 'http://localhost');
  assert.equal(pathname, '/api/v1/label/__name__/values');
  assert.equal(searchParams.get('match[]'), '{job="core-go"}');
});
