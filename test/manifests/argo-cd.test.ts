// What is installed of Argo CD: cluster/argocd with a release in it that has the same objects, but nothing else in them.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { kustomizedRelease } from '../../scripts/components/argo-cd.ts';
import { contentAnnotation } from '../../scripts/components/installation.ts';
import { type KubeObject, toYaml } from '../../scripts/kubernetes/objects.ts';
import { createExec } from '../../scripts/lib/exec.ts';
import { everyKind, fakeContext, refusal, temporaryFolder } from '../support/fakes.ts';
import { root } from '../support/helm.ts';

const skip = spawnSync('kubectl', ['version', '--client']).error ? 'kubectl is not on the PATH' : false;

const named = (apiVersion: string, kind: string, name: string, more: object = {}): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name },
  ...more,
});
const crd = (name: string) =>
  named('apiextensions.k8s.io/v1', 'CustomResourceDefinition', `${name}.argoproj.io`, {
    spec: {
      group: 'argoproj.io',
      names: { kind: name, plural: name },
      scope: 'Namespaced',
      versions: [
        {
          name: 'v1alpha1',
          schema: { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object' } } } },
          served: true,
          storage: true,
        },
      ],
    },
  });
const probe = { httpGet: { path: '/healthz', port: 8080 }, initialDelaySeconds: 5, periodSeconds: 30 };
const program = (kind: string, name: string, { init, probed }: { init?: string[]; probed?: true } = {}) =>
  named('apps/v1', kind, name, {
    spec: {
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          ...(init && { initContainers: init.map((one) => ({ name: one, image: 'a:1', imagePullPolicy: 'Always' })) }),
          containers: [{ name, image: 'a:1', imagePullPolicy: 'Always', ...(probed && { readinessProbe: probe }) }],
        },
      },
    },
  });
const parts = [
  'application-controller',
  'applicationset-controller',
  'dex-server',
  'notifications-controller',
  'redis',
];
const release = [
  ...['applications', 'applicationsets', 'appprojects'].map(crd),
  ...parts.map((part) => named('v1', 'ServiceAccount', `argocd-${part}`)),
  named('rbac.authorization.k8s.io/v1', 'ClusterRole', 'argocd-applicationset-controller', { rules: [] }),
  named('rbac.authorization.k8s.io/v1', 'ClusterRole', 'argocd-server', { rules: [] }),
  named('v1', 'ConfigMap', 'argocd-cm'),
  named('v1', 'ConfigMap', 'argocd-cmd-params-cm'),
  named('v1', 'ConfigMap', 'argocd-notifications-cm'),
  program('Deployment', 'argocd-applicationset-controller'),
  program('Deployment', 'argocd-dex-server', { init: ['copyutil'] }),
  program('Deployment', 'argocd-notifications-controller'),
  program('Deployment', 'argocd-redis', { init: ['secret-init', 'another'] }),
  program('Deployment', 'argocd-repo-server', { init: ['copyutil'], probed: true }),
  program('Deployment', 'argocd-server', { probed: true }),
  program('StatefulSet', 'argocd-application-controller', { probed: true }),
];

const folder = await temporaryFolder();
cpSync(join(root, 'cluster/argocd'), join(folder, 'cluster/argocd'), { recursive: true });
let runs = 0;
/** Installs from a copy of cluster/argocd, which a test may edit. */
async function install(
  full: boolean,
  nodeImage = 'kindest/node:v1.36.4',
  { cacheDir = join(folder, 'cache'), offline = false } = {},
): Promise<KubeObject[]> {
  const env = everyKind(process.env as Record<string, string>);
  const exec = createExec({ env, signal: new AbortController().signal });
  const context = fakeContext({
    downloads: { offline },
    config: { root: folder, cacheDir, argocdFull: full, nodeImage },
    exec: (...args: Parameters<typeof exec>) => {
      runs += 1;
      return exec(...args);
    },
    toolbox: { find: async () => ({ path: 'kubectl' }) },
  });
  return kustomizedRelease(context, async () => {
    const file = join(folder, 'release.yaml');
    writeFileSync(file, toYaml(release));
    return file;
  });
}

const find = (objects: readonly KubeObject[], name: string, kind = 'Deployment') =>
  objects.find((object) => object.kind === kind && object.metadata.name === name) ?? assert.fail(`no ${kind} ${name}`);

interface Container {
  name: string;
  imagePullPolicy: string;
  readinessProbe?: { initialDelaySeconds: number; periodSeconds: number };
}
const podsOf = (objects: readonly KubeObject[]) =>
  objects
    .filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet')
    .map(
      (object) =>
        (object.spec as { template: { spec: Record<'containers' | 'initContainers', Container[]> } }).template.spec,
    );
const schemaOf = (object: KubeObject) =>
  (object.spec as { versions: { schema: { openAPIV3Schema: object } }[] }).versions[0]?.schema.openAPIV3Schema;

test('sign-on, notifications and ApplicationSets are left out, but no CRD', { skip }, async () => {
  const trimmed = await install(false);
  const ours = ['prometheus-discovery'];
  const namesOf = (objects: readonly KubeObject[]) => objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
  const all = [...namesOf(release), ...ours.flatMap((name) => [`Role ${name}`, `RoleBinding ${name}`])];
  assert.deepEqual(
    namesOf(trimmed),
    all.filter((name) => !/ argocd-(dex|notifications|applicationset)/.test(name)),
  );
  assert.deepEqual(namesOf(await install(true)), all);
});

test('nobody makes an ApplicationSet without its controller, so its CRD has no fields then', { skip }, async () => {
  const trimmed = await install(false);
  const any = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  const whole = schemaOf(release[0] as KubeObject);
  const schemas = (objects: KubeObject[]) =>
    ['applications', 'applicationsets'].map((name) =>
      schemaOf(find(objects, `${name}.argoproj.io`, 'CustomResourceDefinition')),
    );
  assert.deepEqual(schemas(trimmed), [whole, any]);
  assert.deepEqual(schemas(await install(true)), [whole, whole]);
});

test('Redis need not make the password that is made before it, but in full it is as it came', { skip }, async () => {
  const initOf = (objects: KubeObject[]) =>
    podsOf([find(objects, 'argocd-redis')])[0]?.initContainers.map(({ name }) => name);
  assert.deepEqual(
    [initOf(await install(false)), initOf(await install(true))],
    [['another'], ['secret-init', 'another']],
  );
});

for (const full of [false, true]) {
  test(`${full ? 'in full' : 'trimmed'}, the programs start as soon as they can, with our settings`, {
    skip,
  }, async () => {
    const objects = await install(full);
    const pods = podsOf(objects);
    const containers = pods.flatMap(({ containers }) => containers);
    assert.deepEqual([...new Set(containers.map((one) => one.imagePullPolicy))], ['IfNotPresent']);
    const probes = containers.flatMap(({ readinessProbe }) => readinessProbe ?? []);
    assert.deepEqual(probes, Array(3).fill({ ...probe, initialDelaySeconds: 1, periodSeconds: 2 }));
    const settings = find(objects, 'argocd-cm', 'ConfigMap').data as Record<string, string>;
    assert.equal(settings['timeout.reconciliation'], '5s');
    assert.deepEqual(find(objects, 'argocd-cmd-params-cm', 'ConfigMap').data, { 'server.insecure': 'true' });
    for (const { kind, metadata } of objects) {
      const clusterWide = /^(CustomResourceDefinition|Cluster)/.test(kind);
      assert.equal(metadata.namespace, clusterWide ? undefined : 'argocd', `${kind} ${metadata.name}`);
    }
  });
}

test('a dry run keeps nothing, and where nothing can be written it does without', { skip }, async () => {
  const cacheDir = join(folder, 'untouched');
  const objects = await install(false, undefined, { cacheDir, offline: true });
  assert.equal(existsSync(cacheDir), false);
  assert.deepEqual(await install(false, undefined, { cacheDir: join(folder, 'release.yaml') }), objects);
});

test('what kubectl made is kept until what goes in is another', { skip }, async () => {
  await install(false);
  runs = 0;
  const first = await install(false);
  assert.equal(runs, 0, 'kept');
  await install(false, 'kindest/node:v1.35.0');
  assert.equal(runs, 1, 'another version of Kubernetes');
  const file = join(folder, 'cluster/argocd/full/argocd-cm.yaml');
  writeFileSync(file, readFileSync(file, 'utf8').replace('timeout.reconciliation: 5s', 'timeout.reconciliation: 7s'));
  const edited = await install(false);
  assert.equal(runs, 2, 'another setting');
  assert.match(JSON.stringify(find(edited, 'argocd-cm', 'ConfigMap')), /"7s"/);
  rmSync(join(folder, 'cache/argo-cd/trimmed.json'));
  writeFileSync(join(folder, 'cache/argo-cd/trimmed.json'), '{"from": "');
  assert.deepEqual(await install(false), edited, 'a file that is not whole');
  const marksOf = (objects: KubeObject[]) => objects.map(({ metadata }) => metadata.annotations?.[contentAnnotation]);
  const marks = marksOf(edited);
  assert.deepEqual(marks, marksOf(first));
  assert.equal(new Set(marks.filter((mark) => mark !== undefined)).size, 3, 'each CRD has a mark of its own');
});

const kustomization = 'cluster/argocd/kustomization.yaml';
const breaks: [how: string, edit: [string, string], message: RegExp, needsKubectl?: boolean][] = [
  [
    'a tab',
    ['sortOptions:\n  order', 'sortOptions:\n\torder'],
    /^cluster\/argocd\/kustomization\.yaml can't be read: .* at line 6, column/,
  ],
  [
    'conflict markers',
    ['resources:', '<<<<<<< HEAD\nresources:'],
    /^cluster\/argocd\/kustomization\.yaml can't be read: .* at line 7, column/,
  ],
  [
    'a resource that is not there',
    ['- full', '- ful'],
    /^cluster\/argocd can't be read by kubectl kustomize: [^\n]*ful[^\n]*$/,
    true,
  ],
];
for (const [how, [from, to], message, needsKubectl = false] of breaks)
  test(`a kustomization with ${how} is refused in one sentence`, { skip: needsKubectl && skip }, async () => {
    const file = join(folder, kustomization);
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace(from, to));
    const { error } = await refusal(() => install(false)).finally(() => writeFileSync(file, text));
    assert.match(error.message, message);
    assert.equal(error.id, 'file-unreadable');
  });
