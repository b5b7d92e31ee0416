import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse, parseAllDocuments } from 'yaml';
import { parseObjects, toYaml, withField } from '../../scripts/kubernetes/objects.ts';

const manifest = `# a comment: first
apiVersion: v1
kind: ConfigMap
metadata:
  name: a
  annotations: { note: "data: inside" }
data:
  text: |
    kind: Inner
    ---
    spec: 1
immutable: true
---
spec: { replicas: &count 2, also: *count }
apiVersion: apps/v1
metadata: { name: b }
kind: Deployment
status: null
`;
const plain = parseAllDocuments(manifest).map((document) => document.toJS());
const read = () => parseObjects(manifest, 'a.yaml');
/** What each document is read as without any laziness. */
const ways: [string, (object: object) => unknown][] = [
  ['JSON', (object) => JSON.parse(JSON.stringify(object))],
  ['a spread', (object) => ({ ...object })],
  ['a structured clone', (object) => structuredClone(object)],
  ['Object.entries', (object) => Object.fromEntries(Object.entries(object))],
];
for (const [way, copy] of ways) {
  test(`${way} sees every field, also those that nobody has asked for yet`, () => {
    assert.deepEqual(read().map(copy), plain);
  });
}

test('fields of every order are there, and none that only looks like one inside a text', () => {
  const [map, deployment] = read();
  assert.deepEqual(Object.keys(map ?? {}).sort(), ['apiVersion', 'data', 'immutable', 'kind', 'metadata']);
  assert.deepEqual(map?.data, { text: 'kind: Inner\n---\nspec: 1\n' });
  assert.deepEqual(deployment?.spec, { replicas: 2, also: 2 });
  assert.equal(map?.spec, undefined);
});

test('a field is the same value each time, so what is changed in it stays changed', () => {
  const [map] = read();
  (map?.data as Record<string, string>).text = 'changed';
  assert.deepEqual(map?.data, { text: 'changed' });
  assert.match(toYaml(map ? [map] : []), /changed/);
});

test('a rest that is broken is told with its file by whoever asks for it, and by nobody else', () => {
  const [object] = parseObjects('kind: Pod\napiVersion: v1\nmetadata: { name: p }\nspec: { a: [\n', 'helm/x.yaml');
  assert.equal(object?.metadata.name, 'p');
  assert.throws(() => object?.spec, /^Error: helm\/x\.yaml: /);
  assert.throws(() => JSON.stringify(object), /^Error: helm\/x\.yaml: /);
});

test('a manifest with Windows line ends is the same manifest', () => {
  const objects = parseObjects(manifest.replaceAll('\n', '\r\n'), 'a.yaml');
  assert.deepEqual(JSON.parse(JSON.stringify(objects)), plain);
});

test('a replaced field is in the copy alone, made from the old value once, when it is asked for', () => {
  const [object = assert.fail()] = read();
  let made = 0;
  const copy = withField(object, 'data', (data) => {
    made += 1;
    return { ...(data as object), more: '1' };
  });
  assert.equal(copy.metadata.name, 'a');
  assert.equal(made, 0);
  const data = { text: 'kind: Inner\n---\nspec: 1\n', more: '1' };
  assert.deepEqual([copy.data, copy.data, made], [data, data, 1]);
  assert.deepEqual(JSON.parse(JSON.stringify(copy)), { ...plain[0], data });
  assert.deepEqual({ ...object }, plain[0]);
  assert.deepEqual(parse(toYaml([copy])), { ...plain[0], data });
});

test('a field can be added, and replaced again', () => {
  const [object = assert.fail()] = read();
  const added = withField(object, 'spec', (value) => [value]);
  const again = withField(added, 'spec', (value) => [value]);
  assert.deepEqual([object.spec, added.spec, again.spec], [undefined, [undefined], [[undefined]]]);
  assert('spec' in added && !('spec' in object));
});
