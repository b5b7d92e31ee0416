import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { collectionPath, nameOf, parseObjects, toReadableYaml, toYaml } from '../../scripts/kubernetes/objects.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Where the API server has the plurals, as `kubectl api-resources` lists them: the test's own knowledge. */
const groups: Record<string, string> = {
  'api/v1': 'configmaps namespaces persistentvolumeclaims secrets services serviceaccounts',
  'apis/admissionregistration.k8s.io/v1': 'validatingwebhookconfigurations',
  'apis/apiextensions.k8s.io/v1': 'customresourcedefinitions',
  'apis/apiregistration.k8s.io/v1': 'apiservices',
  'apis/apps/v1': 'daemonsets deployments statefulsets',
  'apis/argoproj.io/v1alpha1': 'applications appprojects',
  'apis/autoscaling/v2': 'horizontalpodautoscalers',
  'apis/batch/v1': 'jobs',
  'apis/networking.k8s.io/v1': 'ingresses ingressclasses networkpolicies',
  'apis/policy/v1': 'poddisruptionbudgets',
  'apis/rbac.authorization.k8s.io/v1': 'clusterroles clusterrolebindings roles rolebindings',
};
const paths = Object.entries(groups).flatMap(([group, plurals]) => plurals.split(' ').map((one) => `/${group}/${one}`));

test('each kind of our manifests is asked for where the API server has it', () => {
  const files = ['argocd', 'cluster', 'ingress', 'observability'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.yaml'))
      .map((name) => join(root, folder, name)),
  );
  const texts = files.map((file) => readFileSync(file, 'utf8')).filter((text) => /^metadata:/m.test(text));
  const ours = texts.flatMap((text) => parseObjects(text));
  const asked = new Set(ours.map(({ apiVersion, kind }) => collectionPath(apiVersion, kind)));
  assert(asked.size > 10, [...asked].join());
  assert.deepEqual(
    [...asked].filter((path) => !paths.includes(path)),
    [],
  );
});

test('plurals, and the paths of a namespace', () => {
  for (const [apiVersion, kind] of [
    ['networking.k8s.io/v1', 'NetworkPolicy'],
    ['networking.k8s.io/v1', 'IngressClass'],
    ['apps/v1', 'StatefulSet'],
  ] as const)
    assert(paths.includes(collectionPath(apiVersion, kind)), kind);
  assert.equal(collectionPath('v1', 'Pod', 'argocd'), '/api/v1/namespaces/argocd/pods');
  assert.equal(collectionPath('apps/v1', 'Deployment', 'a'), '/apis/apps/v1/namespaces/a/deployments');
});

test('a name is said with its namespace, if it has one', () => {
  const metadata = { name: 'server' };
  assert.equal(nameOf({ apiVersion: 'v1', kind: 'Namespace', metadata }), 'Namespace server');
  assert.equal(nameOf({ apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, namespace: 'a' } }), 'Pod a/server');
});

const two =
  'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\ndata: { x: "1" }\n---\n# nothing\n--- # a comment\napiVersion: v1\nkind: Pod\nmetadata: { name: b }\n';

test('a manifest is read in its order, documents of comments left out', () => {
  assert.deepEqual(
    parseObjects(two).map(({ kind }) => kind),
    ['ConfigMap', 'Pod'],
  );
  assert.deepEqual(parseObjects(''), []);
});

test('a manifest with Windows line ends is the same manifest', () => {
  assert.deepEqual(parseObjects(two.replaceAll('\n', '\r\n')), parseObjects(two));
});

test('a line of dashes within a text ends no document', () => {
  const [map, ...others] = parseObjects(
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  text: |\n    kind: Inner\n    ---\n    x: 1\n',
  );
  assert.deepEqual([map?.data, others], [{ text: 'kind: Inner\n---\nx: 1\n' }, []]);
});

test('numbers and switches are read as kubectl reads them', () => {
  const [object] = parseObjects('apiVersion: v1\nkind: A\nmetadata: {name: a}\nspec: {mode: 0440, hidden: yes}\n');
  assert.deepEqual(object?.spec, { mode: 0o440, hidden: true });
});

test('documents end as YAML has it, JSON is YAML, and the items of a List are read in place of it', () => {
  const pod = (name: string) => `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"${name}"}}`;
  const list = `{"apiVersion":"v1","kind":"List","items":[${pod('c')},${pod('d')}]}`;
  const text = `%YAML 1.1\n---\n${pod('a')}\n...\n---   \n${pod('b')}\n---\n${list}\n`;
  assert.deepEqual(
    parseObjects(text).map(({ metadata }) => metadata.name),
    ['a', 'b', 'c', 'd'],
  );
});

const bomb = [
  'a: &a [x, x, x, x, x, x, x, x, x]',
  ...'bcdefg'.split('').map((name, index) => {
    const before = `*${'abcdef'[index]}`;
    return `${name}: &${name} [${Array(9).fill(before).join(', ')}]`;
  }),
].join('\n');
for (const [what, text] of Object.entries({
  'a map that is not closed': 'kind: Pod\n---\nkind: {',
  'a tab': 'kind: Pod\nmetadata:\n\tname: a\n',
  'leftover conflict markers': '<<<<<<< HEAD\nkind: Pod\n=======\nkind: Job\n>>>>>>> other\n',
  'aliases of aliases': bomb,
  'a text': 'hello\n',
  'a list': '- apiVersion: v1\n',
  'an object without a name': 'apiVersion: v1\nkind: Pod\n',
  'labels that are a list': 'apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: [b]}\n',
  'a List with a text in it': 'apiVersion: v1\nkind: List\nitems: [x]\n',
}))
  test(`${what} is refused`, () => assert.throws(() => parseObjects(text)));

test('what is written can be read again', () => {
  const objects = parseObjects(two);
  assert.deepEqual(parseObjects(toYaml(objects)), objects);
  assert.deepEqual(parseObjects(toReadableYaml(objects[0])), [objects[0]]);
});
