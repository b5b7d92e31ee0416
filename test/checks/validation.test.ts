import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { matchesSelector } from '../../scripts/checks/validate/objects/lookup.ts';
import { formatValidation, ruleList, validationJson } from '../../scripts/checks/validate/print.ts';
import { applyFixes, limitedTools, runValidation, validationExitCode } from '../../scripts/checks/validate/run.ts';
import { addEnumerations, condense } from '../../scripts/checks/validate/schemas/update/json-schema.ts';
import { modules } from '../../scripts/checks/validate/schemas/update/sources.ts';
import { explainSchemaError, loadSchemas } from '../../scripts/checks/validate/schemas.ts';
import { argocd, kubernetesVersion, nodeImage, tools as versions } from '../../scripts/config/versions.ts';
import type { Toolbox } from '../../scripts/kubernetes/tools/toolbox.ts';
import { type Finding, fieldName, mergeFindings } from '../../scripts/repository/rendering/finding.ts';
import { quote } from '../../scripts/repository/rendering/helm-error.ts';
import { readManifest } from '../../scripts/repository/rendering/manifests.ts';
import { openRepository, type ValidationCheck } from '../../scripts/repository/rendering/repository.ts';
import { noTools, temporaryFolder } from '../support/fakes.ts';
import { root } from '../support/helm.ts';

const finding = (changes: Partial<Finding> = {}): Finding => ({
  rule: 'a-rule',
  file: 'helm/a.yaml',
  message: 'It is wrong.',
  remedy: 'Put it right.',
  ...changes,
});
const check = (name: string, run: ValidationCheck['run']): ValidationCheck => ({
  name,
  title: `${name} is well`,
  rules: { [name]: 'x' },
  run,
});

test('findings that differ in the rendering only are one, and come by file and line', () => {
  const merged = mergeFindings([
    finding({ file: 'z', line: 2 }),
    finding({ renderings: ['values.yaml'] }),
    finding({ file: 'z', line: 1 }),
    finding({ renderings: ['values-dev.yaml'] }),
  ]);
  assert.deepEqual(
    merged.map(({ file, line, renderings }) => [file, line, renderings]),
    [
      ['helm/a.yaml', undefined, ['values.yaml', 'values-dev.yaml']],
      ['z', 1, undefined],
      ['z', 2, undefined],
    ],
  );
});

test('a check that lacks a tool says so, and the exit code is 2 unless another one finds something', async () => {
  const repository = openRepository(root, noTools);
  const clean = check('clean', async () => []);
  const broken = check('broken', async () => [finding({ line: 3, renderings: ['values.yaml'] })]);
  const lacking = check('lacking', async (_, tools) => {
    await tools.find('promtool');
    return [];
  });

  const outcomes = await runValidation([clean, lacking], repository, noTools);
  assert.equal(validationExitCode(outcomes), 2);
  assert.match(
    formatValidation(outcomes),
    /! lacking is well .* not checked: promtool is needed\.\n {4}→ Install promtool\./,
  );
  assert.match(formatValidation(outcomes), /1 check could not be run/);

  const all = await runValidation([clean, broken, lacking], repository, noTools);
  assert.equal(validationExitCode(all), 1);
  assert.match(
    formatValidation(all),
    /helm\/a\.yaml:3 {2}a-rule {2}It is wrong\. \(rendered with values\.yaml\)\n {4}→ Put it right/,
  );
  assert.equal(JSON.parse(validationJson(all)).ok, false);
  assert.equal(validationExitCode(await runValidation([clean], repository, noTools)), 0);
  assert.match(ruleList([clean]), /clean: clean is well\n {2}clean {2}x/);
});

test('a bug in a check is not taken for a finding', async () => {
  const buggy = check('buggy', async () => {
    throw new TypeError('x is not a function');
  });
  await assert.rejects(runValidation([buggy], openRepository(root, noTools), noTools), TypeError);
});

test('mechanical remedies are applied once each, the others are left alone', async () => {
  let applied = 0;
  const fixable = finding({
    fix: async () => {
      applied += 1;
    },
  });
  const outcomes = await runValidation(
    [check('a', async () => [fixable, fixable, finding({ message: 'By hand.' })])],
    openRepository(root, noTools),
    noTools,
  );
  assert.equal((await applyFixes(outcomes)).length, 1);
  assert.equal(applied, 1);
});

for (const [before, after] of [
  ['tag: 1234567 # the build', 'tag: "1234567" # the build'],
  ['tag: 12e0045', 'tag: "12e0045"'],
  ['tag: 0b10101', 'tag: "0b10101"'],
  ['tag: "1234567"', 'tag: "1234567"'],
  ['tag:', 'tag:'],
] as const) {
  test(`quoting makes ${JSON.stringify(before)} to ${JSON.stringify(after)}`, async () => {
    const folder = await temporaryFolder();
    const text = (line: string) => `# Comment\nimage:\n  ${line}\nreplicaCount: 3\n`;
    writeFileSync(join(folder, 'values.yaml'), text(before));
    await quote(folder, 'values.yaml', ['image', 'tag']);
    assert.equal(readFileSync(join(folder, 'values.yaml'), 'utf8'), text(after));
  });
}

test('a manifest tells the line of a field, of what is around it, and of a mistake', () => {
  const text =
    'apiVersion: v1\nkind: Service\nmetadata:\n  name: a\nspec:\n  ports:\n    - port: 1\n    - port: 2\n---\na: [\n';
  const { objects, faults } = readManifest(text, 'a.yaml');
  const [service] = objects;
  assert.equal(service?.line(['spec', 'ports', 1, 'port']), 8);
  assert.equal(service?.line(['spec', 'ports', 5, 'port']), 6);
  assert.equal(service?.line(['nothing']), 1);
  assert.deepEqual(
    faults.map(({ rule, line }) => [rule, line]),
    [['yaml-syntax', 11]],
  );
});

test('a merge key and an alias lead to where the value stands', () => {
  const text = 'apiVersion: v1\nkind: A\nmetadata: {name: a}\none: &one\n  b: 1\ntwo: *one\n';
  assert.equal(readManifest(text, 'a.yaml').objects[0]?.line(['two', 'b']), 5);
});

test('a field is named as kubectl explain does', () => {
  assert.equal(fieldName(['spec', 'containers', 0, 'image']), 'spec.containers[0].image');
  assert.equal(
    fieldName(['metadata', 'labels', 'app.kubernetes.io/name']),
    'metadata.labels["app.kubernetes.io/name"]',
  );
});

const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a' } };

// What else they say, the faults show.
test('the schemas tell in words that nothing stands where something is wanted', async () => {
  const { check: checkObject } = await loadSchemas();
  for (const [object, message] of [
    [service, 'spec is missing.'],
    [{ ...service, spec: { ports: null } }, 'null is nothing, and a list is wanted.'],
  ] as const) {
    const errors = checkObject(object);
    assert(errors !== 'unknown');
    assert.deepEqual(
      errors.map((error) => explainSchemaError(error, object)[2]),
      [message],
    );
  }
});

test('the schemas take an int-or-string, a quantity as a number, and any label', async () => {
  const { check: checkObject } = await loadSchemas();
  const ports = [
    { port: 80, targetPort: 'web' },
    { port: 81, targetPort: 81 },
  ];
  assert.deepEqual(checkObject({ ...service, spec: { ports } }), []);
  const limits = { cpu: 1, memory: '1.5Gi', 'nvidia.com/gpu': '1' };
  const pod = { containers: [{ name: 'a', resources: { limits } }] };
  const labels = { 'app.kubernetes.io/name': 'a' };
  assert.deepEqual(checkObject({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a', labels }, spec: pod }), []);
  assert.equal(checkObject({ ...service, kind: 'Sevrice' }), 'unknown');
});

test('label selectors are read as Kubernetes reads them', () => {
  const labels = { app: 'a', tier: 'web' };
  assert(matchesSelector({}, labels));
  assert(
    matchesSelector({ matchLabels: { app: 'a' }, matchExpressions: [{ key: 'tier', operator: 'Exists' }] }, labels),
  );
  assert(!matchesSelector({ matchLabels: { app: 'b' } }, labels));
  assert(matchesSelector({ matchExpressions: [{ key: 'app', operator: 'In', values: ['a', 'b'] }] }, labels));
  assert(!matchesSelector({ matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['a'] }] }, labels));
  assert(matchesSelector({ matchExpressions: [{ key: 'none', operator: 'DoesNotExist' }] }, labels));
});

test('a repository without a folder has no files there', async () => {
  const folder = await temporaryFolder();
  cpSync(join(root, 'argocd'), join(folder, 'argocd'), { recursive: true });
  const repository = openRepository(folder, noTools);
  assert.deepEqual(await repository.charts(), []);
  assert.deepEqual(await repository.files('helm'), []);
  assert((await repository.manifests()).length >= 4);
});

test('the schemas that are committed are those of the versions that are pinned', () => {
  const sources = ['kubernetes', 'custom-resources'].flatMap((name): string[] => {
    const file = join(root, `scripts/checks/validate/schemas/${name}.json`);
    return JSON.parse(readFileSync(file, 'utf8')).sources;
  });
  assert.deepEqual(sources.toSorted(), Object.values(modules).toSorted());
  const minor = kubernetesVersion(nodeImage).replace(/\.\d+$/, '');
  assert(modules.kubernetes.startsWith(`k8s.io/kubernetes@${minor}.`), 'another minor version than the node image');
  assert(modules.argoCd.endsWith(`@${argocd.version}`), 'another version than the cluster gets');
});

test('promtool is the one of the Prometheus that runs', () => {
  const deployment = readFileSync(join(root, 'observability/prometheus/deployment.yaml'), 'utf8');
  assert(deployment.includes(`prom/prometheus:${versions.promtool.version}\n`));
});

test('a condensed schema is closed where it names its fields, and keeps only what decides', () => {
  const schema = {
    type: 'object',
    description: 'Dropped.',
    required: ['a'],
    properties: {
      a: { type: 'string', description: 'Dropped.', pattern: '^a$' },
      map: { type: 'object', additionalProperties: { type: 'string' } },
      open: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, properties: { b: { type: 'string' } } },
      port: { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] },
      go: { type: 'string', pattern: '(?i)only Go can read this' },
    },
  };
  assert.deepEqual(condense(schema), {
    type: 'object',
    required: ['a'],
    properties: {
      a: { type: 'string', pattern: '^a$' },
      map: { type: 'object', additionalProperties: { type: 'string' } },
      open: { type: 'object', properties: { b: { type: 'string' } } },
      port: { type: ['integer', 'string'] },
      go: { type: 'string' },
    },
    additionalProperties: false,
  });
});

test('the values of an enumeration come from the generated Go code, for a field and for the items of a list', () => {
  const values = '{"TCP", "UDP"}';
  const source = [
    'func schema_k8sio_api_core_v1_Port(ref common.ReferenceCallback) common.OpenAPIDefinition {',
    '\t\t\t\t\t"protocol": {',
    `\t\t\t\t\t\t\tEnum:        []interface{}${values},`,
    '\t\t\t\t\t"all": {',
    '\t\t\t\t\t\t\tItems: &spec.SchemaOrArray{',
    `\t\t\t\t\t\t\t\t\t\tEnum:    []interface{}${values},`,
    '\t\t\t\t\t"name": {',
    'func schema_k8sio_api_core_v1_Unknown(ref common.ReferenceCallback) common.OpenAPIDefinition {',
    '\t\t\t\t\t"name": {',
    `\t\t\t\t\t\t\tEnum:        []interface{}${values},`,
  ].join('\n');
  const text = { type: 'string' };
  const properties = { protocol: { ...text }, all: { type: 'array', items: { ...text } }, name: { ...text } };
  addEnumerations({ 'io.k8s.api.core.v1.Port': { properties } }, source);
  assert.deepEqual(properties, {
    protocol: { ...text, enum: ['TCP', 'UDP'] },
    all: { type: 'array', items: { ...text, enum: ['TCP', 'UDP'] } },
    name: text,
  });
});

test('of a hundred programs that the checks run, no more are running than they may', async () => {
  let [running, most] = [0, 0];
  const exec = async (command: readonly string[]) => {
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    return { stdout: command.join(' '), stderr: '', exitCode: 0 };
  };
  const tools = limitedTools({ exec, toolbox: {} as Toolbox }, 2);
  const ran = await Promise.all(Array.from({ length: 100 }, (_, n) => tools.exec(['helm', String(n)])));
  assert.equal(most, 2);
  assert.deepEqual(
    ran.map(({ stdout }) => stdout),
    ran.map((_, n) => `helm ${n}`),
  );
});
