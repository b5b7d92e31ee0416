// The manifests that are made of other files: what they carry, and what happens when the two differ.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { parseObjects } from '../../scripts/kubernetes/objects.ts';
import {
  assertGenerated,
  dashboardConfigMap,
  editsAfter,
  isSource,
} from '../../scripts/repository/generated/monitoring.ts';
import { refusal, temporaryFolder } from '../support/fakes.ts';

const namespace = 'apiVersion: v1\nkind: Namespace\nmetadata: { name: observability }\n';
const deployment =
  'volumes:\n  - name: dashboards\n    projected:\n      sources:\n        - {secret: {name: other}}\n';
const texts = {
  'prometheus/namespace.yaml': namespace,
  'prometheus/config/prometheus.yml': 'global: {}\n',
  'prometheus/config/rules/a.yml': 'yes: 0440\n',
  'prometheus/config/rules/b.yaml': '  begins with spaces\n\ttab, ä, "quotes" and no line end',
  'prometheus/config/tests/a.yml': 'not carried\n',
  'add-on/config/rules/c.yml': '\n\n',
  'add-on/dashboards/Of_It.json': '{}\r\n',
  'grafana/deployment.yaml': deployment,
  'grafana/dashboards/one.json': '{"a": 1}\n',
};

async function checkout(): Promise<string> {
  const root = await temporaryFolder();
  for (const [path, text] of Object.entries(texts)) {
    mkdirSync(dirname(join(root, 'observability', path)), { recursive: true });
    writeFileSync(join(root, 'observability', path), text);
  }
  return root;
}

async function write(root: string): Promise<string[]> {
  const edits = await editsAfter(root, new Map());
  for (const { file, after } of edits) writeFileSync(join(root, file), after);
  return edits.map(({ file }) => file.replace('observability/', ''));
}

const read = (root: string, file: string) => readFileSync(join(root, 'observability', file), 'utf8');

test('each source is carried byte by byte, behind the Namespace, and a second run changes nothing', async () => {
  const root = await checkout();
  const manifests = ['add-on/configMap.yml', 'grafana/configmap-dashboards.yaml', 'prometheus/configMap.yml'];
  assert.deepEqual((await write(root)).sort(), [...manifests, 'grafana/deployment.yaml'].sort());
  const told = manifests.map((file) =>
    parseObjects(read(root, file)).map(({ kind, metadata, data }) => [kind, metadata.name, data]),
  );
  const first = ['Namespace', 'observability', undefined];
  assert.deepEqual(told, [
    [
      first,
      ['ConfigMap', 'prometheus-rules-add-on', { 'c.yml': texts['add-on/config/rules/c.yml'] }],
      ['ConfigMap', 'grafana-dashboard-of-it', { 'Of_It.json': texts['add-on/dashboards/Of_It.json'] }],
    ],
    [first, ['ConfigMap', 'grafana-dashboard-one', { 'one.json': texts['grafana/dashboards/one.json'] }]],
    [
      first,
      ['ConfigMap', 'prometheus-config', { 'prometheus.yml': texts['prometheus/config/prometheus.yml'] }],
      [
        'ConfigMap',
        'prometheus-rules',
        { 'a.yml': texts['prometheus/config/rules/a.yml'], 'b.yaml': texts['prometheus/config/rules/b.yaml'] },
      ],
    ],
  ]);
  await assertGenerated(root);
  assert.deepEqual(await write(root), []);
});

test('Grafana mounts each dashboard, one of an add-on where it is there, and nothing that is gone', async () => {
  const root = await checkout();
  await write(root);
  const added = [
    '        - configMap:\n            name: grafana-dashboard-of-it\n            optional: true\n',
    '        - configMap:\n            name: grafana-dashboard-one\n',
  ];
  assert.equal(read(root, 'grafana/deployment.yaml'), deployment + added.join(''));
  rmSync(join(root, 'observability/add-on/dashboards/Of_It.json'));
  assert.deepEqual(await write(root), ['add-on/configMap.yml', 'grafana/deployment.yaml']);
  assert.equal(read(root, 'grafana/deployment.yaml'), deployment + added[1]);
});

test('up refuses where a source and its manifest differ', async () => {
  const root = await checkout();
  await write(root);
  writeFileSync(join(root, 'observability/prometheus/config/prometheus.yml'), 'global: { a: b }\n');
  const { text } = await refusal(() => assertGenerated(root));
  assert.match(text, /^observability\/prometheus\/configMap\.yml does not say .*\nnpm run validate -- --fix, then/);
});

test('what an editor leaves, the unit tests and a subfolder are no sources', () => {
  const at = (path: string) => isSource(`observability/${path}`);
  assert(at('x/config/a.yml') && at('x/config/rules/a.yaml') && at('x/dashboards/a.json'));
  for (const path of [
    'x/config/a.yml~',
    'x/config/tests/a.yml',
    'x/dashboards/b/a.json',
    'x/a.yml',
    'x/dashboards/a.yml',
  ])
    assert(!at(path), path);
  assert.equal(dashboardConfigMap('Ab_c-_'), 'grafana-dashboard-ab-c');
});
