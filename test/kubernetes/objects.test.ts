import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { collectionPath, nameOf, parseObjects, toReadableYaml, toYaml } from '../../scripts/kubernetes/objects.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Where the API server has each kind, as `kubectl api-resources` lists them: the test's own knowledge. */
const paths: Record<string, string> = {
  APIService: '/apis/apiregistration.k8s.io/v1/apiservices',
  AppProject: '/apis/argoproj.io/v1alpha1/appprojects',
  Application: '/apis/argoproj.io/v1alpha1/applications',
  ClusterRole: '/apis/rbac.authorization.k8s.io/v1/clusterroles',
  ClusterRoleBinding: '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
  ConfigMap: '/api/v1/configmaps',
  CustomResourceDefinition: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
  DaemonSet: '/apis/apps/v1/daemonsets',
  Deployment: '/apis/apps/v1/deployments',
  HorizontalPodAutoscaler: '/apis/autoscaling/v2/horizontalpodautoscalers',
  Ingress: '/apis/networking.k8s.io/v1/ingresses',
  IngressClass: '/apis/networking.k8s.io/v1/ingressclasses',
  Job: '/apis/batch/v1/jobs',
  Namespace: '/api/v1/namespaces',
  NetworkPolicy: '/apis/networking.k8s.io/v1/networkpolicies',
  PersistentVolumeClaim: '/api/v1/persistentvolumeclaims',
  PodDisruptionBudget: '/apis/policy/v1/poddisruptionbudgets',
  Role: '/apis/rbac.authorization.k8s.io/v1/roles',
  RoleBinding: '/apis/rbac.authorization.k8s.io/v1/rolebindings',
  Secret: '/api/v1/secrets',
  Service: '/api/v1/services',
  ServiceAccount: '/api/v1/serviceaccounts',
  StatefulSet: '/apis/apps/v1/statefulsets',
  ValidatingWebhookConfiguration: '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations',
};

const manifests = ['argocd', 'cluster', 'ingress', 'observability'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => join(folder, name)),
);
const kinds = new Map(
  manifests
    .flatMap((file) => parseAllDocuments(readFileSync(join(root, file), 'utf8')).map((document) => document.toJS()))
    .filter((object) => object?.kind && !/^(kind\.x-k8s|kustomize\.config\.k8s)\.io/.test(object.apiVersion))
    .map(({ apiVersion, kind }: { apiVersion: string; kind: string }) => [kind, apiVersion]),
);

test('each kind of our manifests is asked for where the API server has it', () => {
  assert(kinds.size > 10, [...kinds.keys()].join());
  for (const [kind, apiVersion] of kinds) assert.equal(collectionPath(apiVersion, kind), paths[kind], kind);
});

test('kinds of other manifests, and of a namespace', () => {
  for (const [kind, path] of Object.entries(paths)) {
    const apiVersion = path.replace(/^\/apis?\//, '').replace(/\/[^/]*$/, '');
    assert.equal(collectionPath(apiVersion, kind), path);
  }
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
