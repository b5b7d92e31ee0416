import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { stringify } from 'yaml';
import { configMapLimit, generate, readKustomization } from '../../scripts/kubernetes/kustomization.ts';
import { readKustomizedObjects } from '../../scripts/repository/manifests.ts';
import { openRepository } from '../../scripts/repository/rendering/repository.ts';
import { noTools, temporaryFolder } from '../support/fakes.ts';

const labels = { 'app.kubernetes.io/name': 'x' };
const generatorOptions = { disableNameSuffixHash: true, labels };
const map = { name: 'settings', namespace: 'here', files: ['a/one.json', 'two.json=a/other.txt'] };
const account = 'apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: a\n  namespace: here\n';

async function folderWith(files: Record<string, string>): Promise<string> {
  const root = await temporaryFolder();
  for (const [path, text] of Object.entries(files)) {
    const file = join(root, 'observability/x', path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  return root;
}

const whole = {
  'kustomization.yaml': stringify({ resources: ['account.yaml'], configMapGenerator: [map], generatorOptions }),
  'account.yaml': account,
  'a/one.json': '{"one": 1}\n',
  'a/other.txt': 'ä\n',
};
const made = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'settings', namespace: 'here', labels },
  data: { 'one.json': '{"one": 1}\n', 'two.json': 'ä\n' },
};

test('a folder becomes the ConfigMaps that are made of its files, and its manifests', async () => {
  const [configMap, manifest] = await readKustomizedObjects(await folderWith(whole), 'observability/x');
  assert.deepEqual(configMap, made);
  assert.deepEqual(manifest?.metadata, { name: 'a', namespace: 'here' });
});

test('validation sees the same, and where each text stands', async () => {
  const repository = openRepository(await folderWith(whole), noTools);
  assert.deepEqual(await repository.faults(), []);
  const [manifest, configMap] = await repository.manifests();
  assert.equal(manifest?.file, 'observability/x/account.yaml');
  assert.deepEqual(configMap?.object, made);
  assert.deepEqual(
    [...(configMap?.carries ?? [])],
    [
      ['one.json', 'observability/x/a/one.json'],
      ['two.json', 'observability/x/a/other.txt'],
    ],
  );
});

test('what is left out, or not there, is found', async () => {
  const root = await folderWith({ ...whole, 'a/forgotten.json': '{}', 'b/free.json': '{}', 'more.yaml': account });
  const rules = (await openRepository(root, noTools).faults()).map(({ rule, message }) => `${rule}: ${message}`);
  assert.equal(rules.length, 2, rules.join('\n'));
  assert(
    rules.every((rule) => /^kustomization-left-out: It does not name (a\/forgotten\.json|more\.yaml),/.test(rule)),
  );
});

const refused: [string, unknown, RegExp][] = [
  ['a list', [], /is no map/],
  ['a field that kubectl knows and the scripts do not', { namePrefix: 'dev-' }, /^namePrefix is nothing/],
  [
    'literals',
    { configMapGenerator: [{ ...map, literals: ['a=b'] }], generatorOptions },
    /configMapGenerator\.literals/,
  ],
  ['a hash in the name', { configMapGenerator: [map] }, /disableNameSuffixHash is not true/],
  ['a ConfigMap without a namespace', { configMapGenerator: [{ name: 'a' }], generatorOptions }, /no namespace/],
  ['a text for a list', { resources: 'a.yaml' }, /resources is no list/],
];
for (const [what, value, message] of refused) {
  test(`a kustomization with ${what} is refused`, () => {
    assert.throws(
      () => readKustomization(value),
      (error: Error) => message.test(error.message),
    );
  });
}

test('a ConfigMap that is too long for Kubernetes is refused, and one that just fits is not', () => {
  const [only] = readKustomization({ configMapGenerator: [{ ...map, files: ['a'] }], generatorOptions }).configMaps;
  assert(only);
  const of = (bytes: number) => () => generate(only, new Map([['a', 'x'.repeat(bytes - 1)]]));
  assert.doesNotThrow(of(configMapLimit));
  assert.throws(of(configMapLimit + 1), /the ConfigMap settings would hold 1048577 bytes/);
});
