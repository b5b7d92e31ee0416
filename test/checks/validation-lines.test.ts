// That a finding inside of a ConfigMap's text leads to the line of the manifest.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { promtoolErrors } from '../../scripts/checks/validate/prometheus/promtool.ts';
import { readJson } from '../../scripts/repository/dashboards/dashboard.ts';
import { embeddedLine } from '../../scripts/repository/rendering/manifests.ts';

const manifest = ['data:', '  a.yml: | # rules', '    first', '', '    third', '  b.json: "{}"', '  c: |-2', '      x'];

test('a block keeps its lines, any other text has the line of its key', () => {
  assert.equal(embeddedLine(manifest, 2, 1), 3);
  assert.equal(manifest[(embeddedLine(manifest, 2, 3) ?? 0) - 1], '    third');
  assert.equal(embeddedLine(manifest, 6, 1), 6);
  assert.equal(embeddedLine(manifest, 7, 1), 8);
  assert.equal(embeddedLine(manifest, undefined, 1), undefined);
});

test('the line of a field of JSON, or of the nearest one around it', () => {
  const json = readJson('{\n  "a": [\n    1,\n    {"b": "}",\n     "c\\u0064": null}\n  ]\n}');
  assert(!json.fault);
  assert.equal(json.lineOf(['a']), 2);
  assert.equal(json.lineOf(['a', 0]), 3);
  assert.equal(json.lineOf(['a', 1, 'b']), 4);
  assert.equal(json.lineOf(['a', 1, 'cd']), 5);
  assert.equal(json.lineOf(['a', 1, 'gone']), 4);
  assert.equal(json.lineOf(['gone']), 1);
});

for (const [text, line] of [
  ['{\n  "a": [1,\n  ]\n}', 3],
  ['{\n  "a": 1\n  "b": 2\n}', 3],
  ['{\n  "a": 1,\n  // why\n  "b": 2\n}', 3],
  ['{\n  "a": 1\n', 3],
] as const) {
  test(`the line of what is wrong with ${JSON.stringify(text)}`, () => {
    const { fault } = readJson(text);
    assert.equal(fault?.line, line);
    assert.doesNotMatch(fault.message, /position|\.\.\./);
  });
}

const failed = (stderr: string, text = '') =>
  promtoolErrors({ exitCode: 1, stdout: 'Checking standard input\n', stderr }, text, '/tmp/x');

test('what promtool says, in each of its forms', () => {
  assert.deepEqual(promtoolErrors({ exitCode: 0, stdout: 'SUCCESS', stderr: '' }, ''), []);
  const unmarshal = 'yaml: unmarshal errors:\n  line 3: field a not found in type b\n';
  const odd = [{ line: 3, message: 'field a not found in type b' }];
  assert.deepEqual(failed(`  FAILED: parsing YAML file /tmp/x/p.yml: ${unmarshal}`), odd);
  assert.deepEqual(failed(`time=now level=WARN msg="Multiple documents"\n  FAILED:\n${unmarshal}`), odd);
  const where = 'group "g/h", rule 2, "r": could not parse expression: 1:6: parse error: unexpected <op:/>';
  const parsed = promtoolErrors({ exitCode: 1, stdout: '', stderr: `  FAILED:\n7:15: ${where}\n` }, '');
  assert.deepEqual(parsed, [{ line: 7, message: where }]);
});

test('where promtool names no line, what it names is looked for', () => {
  const text = 'groups:\n  - name: g\n    rules:\n      - alert: Down\n        expr: up == 0\n';
  const template = '  FAILED:\ngroup "g", rule 1, "Down": annotation "summary": template: unclosed action\n';
  assert.equal(failed(template, text)[0]?.line, 4);
  const twice = '  FAILED:\nlint error 1 duplicate rule(s) found.\nMetric: Down\nLabel(s):\nMight cause trouble\n';
  assert.deepEqual(failed(twice, text), [{ line: 4, message: 'the rule Down is there twice' }]);
  assert.deepEqual(failed('', text), [{ message: 'promtool ended with exit code 1' }]);
});
