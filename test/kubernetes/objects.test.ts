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
  const objects = files.flatMap((file) => parseObjects(readFileSync(file, 'utf8'), file));
  const ours = objects.filter((one) => one.kind && !/^(kind\.x-k8s|kustomize\.config\.k8s)\.io/.test(one.apiVersion));
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
  'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\ndata: { x: "1" }\n---\n# nothing\n---\nkind: Pod\n';

test('a manifest is read in its order, documents of comments left out', () => {
  assert.deepEqual(
    parseObjects(two, 'a.yaml').map(({ kind }) => kind),
    ['ConfigMap', 'Pod'],
  );
  assert.deepEqual(parseObjects('', 'a.yaml'), []);
});

test('a manifest with Windows line ends is the same manifest', () => {
  assert.deepEqual(parseObjects(two.replaceAll('\n', '\r\n'), 'a.yaml'), parseObjects(two, 'a.yaml'));
});

test('a line of dashes within a text ends no document', () => {
  const [map, ...others] = parseObjects(
    'kind: ConfigMap\ndata:\n  text: |\n    kind: Inner\n    ---\n    x: 1\n',
    'a.yaml',
  );
  assert.deepEqual([map?.data, others], [{ text: 'kind: Inner\n---\nx: 1\n' }, []]);
});

test('numbers and switches are read as kubectl reads them', () => {
  const [object] = parseObjects(
    'apiVersion: v1\nkind: A\nmetadata: {name: a}\nspec: {mode: 0440, hidden: yes}\n',
    'a.yaml',
  );
  assert.deepEqual(object?.spec, { mode: 0o440, hidden: true });
});

test('broken YAML is reported with its file and the line as it stands there', () => {
  assert.throws(
    () => parseObjects('kind: Pod\n---\nkind: {', 'ingress/argocd.yaml'),
    /^Error: ingress\/argocd\.yaml: .* at line \d+.*^kind: \{$/ms,
  );
});

test('what is written can be read again', () => {
  const objects = parseObjects(two, 'a.yaml');
  assert.deepEqual(parseObjects(toYaml(objects), 'b.yaml'), objects);
  assert.deepEqual(parseObjects(toReadableYaml(objects[0]), 'b.yaml'), [objects[0]]);
});
