import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { applications as component, notReadyReason, sourceDifference } from '../../scripts/components/applications.ts';
import { componentsFor } from '../../scripts/components/index.ts';
import { type Config, loadConfig } from '../../scripts/config/config.ts';
import type { KubeObject } from '../../scripts/kubernetes/objects.ts';
import { runGraph } from '../../scripts/lib/tasks.ts';
import type { Application } from '../../scripts/repository/applications.ts';
import { imagesOf, restartOnConfigChange } from '../../scripts/repository/manifests.ts';
import { fakeContext, temporaryFolder } from '../support/fakes.ts';

const environment = { GITOPS_REPO_URL: 'https://github.com/someone/ops.git' };
const settings: [string, Config, boolean][] = [
  ['from this checkout', loadConfig('/nowhere', {}), true],
  ['from GITOPS_REPO_URL', loadConfig('/nowhere', environment), false],
];
for (const [where, config, local] of settings) {
  const components = componentsFor(config);
  const names = components.map(({ name }) => name);

  test(`${where}: the list is in an order in which everything can be installed`, async () => {
    const tasks = components.map(({ name, needs }) => ({ name, needs, run: async () => {} }));
    const results = await runGraph(tasks);
    assert.deepEqual(
      [...results.values()].filter(({ state }) => state !== 'done'),
      [],
    );
  });

  test(`${where}: names are unique, everything needs the cluster, and ${local ? 'a' : 'no'} git server is installed`, () => {
    assert.equal(new Set(names).size, names.length);
    assert.deepEqual(
      components.filter(({ needs }) => needs.length === 0).map(({ name }) => name),
      ['cluster'],
    );
    assert.equal(names.includes('git-source'), local);
  });

  test(`${where}: the services are the last, and stand on everything but what only observes`, () => {
    const needsOf = (name: string): string[] =>
      (components.find((one) => one.name === name)?.needs ?? []).flatMap((need) => [need, ...needsOf(need)]);
    assert.equal(names.at(-1), 'services');
    const unneeded = names.filter((name) => !new Set(needsOf('services')).has(name) && name !== 'services');
    assert.deepEqual(unneeded, ['metrics-server']);
  });
}

const named = (name: string, kind = 'Deployment'): KubeObject => ({ apiVersion: 'v1', kind, metadata: { name } });

const commit = 'abcdef0123456789';
const synced = { sync: { status: 'Synced', revision: commit }, health: { status: 'Healthy' } };
const sick = { kind: 'Deployment', name: 'api', health: { status: 'Degraded', message: 'no pods' } };
const slow = { kind: 'Deployment', name: 'api', health: { status: 'Progressing', message: 'soon' } };
const applications: [string, Application['status'] | undefined, string | undefined, string | undefined][] = [
  ['fit', synced, commit, undefined],
  ['fit at whatever commit', synced, undefined, undefined],
  ['new', undefined, commit, 'not compared yet'],
  ['behind', synced, '9999999aaaa', 'at abcdef0, not yet at 9999999'],
  ['out of sync', { ...synced, sync: { status: 'OutOfSync' } }, commit, 'OutOfSync'],
  ['starting', { ...synced, health: { status: 'Progressing' }, resources: [slow] }, commit, 'Progressing'],
  [
    'sick',
    { ...synced, health: { status: 'Degraded' }, resources: [sick] },
    commit,
    'Degraded (Deployment api is Degraded: no pods)',
  ],
  ['synced without a health', { sync: synced.sync }, commit, 'of unknown health'],
  [
    'not rendered',
    { sync: { status: 'Unknown' }, conditions: [{ type: 'ComparisonError', message: 'bad chart' }] },
    commit,
    'Unknown (bad chart)',
  ],
  [
    'refused by the API server',
    { sync: { status: 'OutOfSync' }, operationState: { phase: 'Failed', message: 'denied' } },
    commit,
    'OutOfSync (denied)',
  ],
  [
    'fit, with a warning',
    { ...synced, conditions: [{ type: 'OrphanedResourceWarning', message: 'x' }] },
    commit,
    undefined,
  ],
  ['fit after a failure', { ...synced, operationState: { phase: 'Succeeded', message: 'ok' } }, commit, undefined],
];
for (const [what, status, wanted, reason] of applications) {
  test(`an Application that is ${what}: ${reason ?? 'nothing against it'}`, () =>
    assert.equal(notReadyReason({ ...named('a'), ...(status && { status }) } as Application, wanted), reason));
}

const deployment = (image: string): KubeObject => ({
  ...named('d'),
  spec: {
    template: {
      metadata: {},
      spec: { initContainers: [{ image: 'init' }], containers: [{ image }, { image: 'side' }] },
    },
  },
});
const configuration = (text: string): KubeObject => ({ ...named('c', 'ConfigMap'), data: { text } });

test('the images of workloads are listed once each, init containers included', () => {
  assert.deepEqual(imagesOf([deployment('a'), configuration('image: x'), deployment('b')]), ['init', 'a', 'side', 'b']);
});

test('a change of a ConfigMap, and nothing else, changes the pods beside it', () => {
  const template = (...objects: KubeObject[]) => JSON.stringify(restartOnConfigChange(objects).at(-1)?.spec);
  const before = template(configuration('one'), deployment('a'));
  assert.equal(template(configuration('one'), deployment('a')), before);
  assert.equal(template(configuration('one'), named('s', 'Service'), deployment('a')), before);
  assert.notEqual(template(configuration('two'), deployment('a')), before);
});

const source = (files: string[], targetRevision = 'HEAD') => ({
  repoURL: 'git://here',
  targetRevision,
  path: 'helm/a',
  helm: { releaseName: 'a', valueFiles: files },
});
const registered = (files: string[], compared?: string[], targetRevision?: string) =>
  ({
    ...named('a'),
    spec: { source: source(files, targetRevision) },
    status: { sync: { status: 'Synced', ...(compared && { comparedTo: { source: source(compared) } }) } },
  }) as unknown as Application;
const [dev, prod] = [
  ['values.yaml', 'values-dev.yaml'],
  ['values.yaml', 'values-prod.yaml'],
];
const differences: [string, Application, RegExp | undefined][] = [
  ['as wanted', registered(prod, prod), undefined],
  ['as wanted, and never compared yet', registered(prod), undefined],
  ['rendered with the values of another environment', registered(dev, dev), /-dev\.yaml, not .*-prod\.yaml$/],
  ['changed over, and not compared since', registered(prod, dev), /^is not compared yet/],
  ['at another revision', registered(prod, prod, 'main'), /^follows main of git:\/\/here .*, not HEAD/],
];
for (const [what, application, expected] of differences) {
  test(`an Application that is ${what}: ${expected === undefined ? 'nothing against it' : 'is told of'}`, () => {
    const said = sourceDifference(application, registered(prod));
    if (expected === undefined) assert.equal(said, undefined);
    else assert.match(said ?? '', expected);
  });
}

test('up waits for the Applications that it applied, whatever is written into their files meanwhile', async () => {
  const root = await temporaryFolder();
  for (const folder of ['argocd', 'cluster/argocd']) mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, 'cluster/argocd/default-project.yaml'), '');
  const spec = {
    project: 'p',
    destination: { server: 's', namespace: 'default' },
    source: {
      repoURL: 'https://example.com/ops.git',
      path: 'helm/core-go',
      helm: { valueFiles: ['values-prod.yaml'] },
    },
  };
  const application = { apiVersion: 'argoproj.io/v1alpha1', kind: 'Application', metadata: { name: 'core-go' }, spec };
  const write = (values: string) =>
    writeFileSync(join(root, 'argocd/a.yaml'), JSON.stringify(application).replace('values-prod', values));
  write('values-prod');
  const project = { sourceRepos: ['*'], destinations: [{ server: 's', namespace: '*' }] };
  const named = { apiVersion: 'argoproj.io/v1alpha1', kind: 'AppProject', metadata: { name: 'p' }, spec: project };
  writeFileSync(join(root, 'argocd/p.yaml'), JSON.stringify(named));
  let present: object[] = [];
  const context = fakeContext({
    config: {
      ...{ root, environment: 'prod', ports: { http: 8080, https: 8443 } },
      gitops: { repoUrl: 'https://example.com/ops.git', revision: 'main' },
    },
    timeout: 100,
    signal: new AbortController().signal,
    checkout: async () => ({ prefix: '', head: commit }),
    view: () => ({ list: async () => present, listHeads: async () => [], missing: async () => undefined, forget() {} }),
    kubectl: async () => ({
      run: async () => {},
      apply: async (objects: KubeObject[]) => {
        present = objects.map((one) => ({ ...one, status: synced }));
        write('values-edited');
        return ['Application core-go'];
      },
    }),
  });
  assert.deepEqual((await component.apply(context)).changed, ['Application core-go']);
});
