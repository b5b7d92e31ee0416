import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertProjectsAllow } from '../../scripts/components/applications.ts';
import type { KubeObject } from '../../scripts/kubernetes/objects.ts';
import { isSameRepository } from '../../scripts/lib/git/remote.ts';
import { type Redirection, redirect } from '../../scripts/repository/redirect.ts';
import { ownRepository, readRegistrations, readServiceApplications } from '../../scripts/repository/registrations.ts';
import { findServices } from '../../scripts/repository/service-files.ts';
import { refusal, temporaryFolder } from '../support/fakes.ts';
import { createRepository, git, gitExec, write } from '../support/repository.ts';

const shipped = 'https://github.com/zainasr/platform-ops.git';
const argo = (kind: string, name: string, spec: object): KubeObject => ({
  apiVersion: 'argoproj.io/v1alpha1',
  kind,
  metadata: { name },
  spec,
});
const root = createRepository(join(await temporaryFolder(), 'repository'));
const place = { config: { root, gitops: undefined }, exec: gitExec };
write(root, 'helm/web/Chart.yaml', 'name: web\n');

const same: [one: string, other: string, boolean][] = [
  [shipped, 'git@github.com:Zainasr/Platform-Ops.git', true],
  [shipped, 'ssh://git@GitHub.com:22/zainasr/platform-ops/', true],
  [shipped, 'https://user@github.com/zainasr/platform-ops', true],
  [shipped, 'https://github.com/zainasr/platform', false],
  [shipped, 'https://gitlab.com/zainasr/platform-ops.git', false],
  ['https://git.example.com/A/b', 'https://GIT.example.com/a/b', false],
  ['http://localhost:3000/a/b', 'http://localhost:4000/a/b', false],
];
for (const [one, other, expected] of same)
  test(`${one} and ${other} are ${expected ? 'one repository' : 'two'}`, () =>
    assert.equal(isSameRepository(one, other), expected));

test('a repository is ours by a remote, by GITOPS_REPO_URL, or as it is given out', async () => {
  git(root, 'remote', 'add', 'team', 'git@git.example.com:team/ops.git');
  const urls = [
    'https://git.example.com/team/ops',
    'https://example.com/gitops',
    shipped,
    'https://charts.example.com',
  ];
  const gitops = { repoUrl: 'ssh://git@example.com/gitops.git', revision: 'main' };
  const isOurs = await ownRepository(
    { ...place, config: { root, gitops } },
    urls.map((repoURL) => ({ repoURL })),
  );
  assert.deepEqual(urls.map(isOurs), [true, true, true, false]);
});

const chart = { repoURL: shipped, targetRevision: 'main', path: './helm/web/' };
const sources: Record<string, object> = {
  web: { source: chart },
  'helm-repository': { source: { repoURL: 'https://charts.example.com', chart: 'web', targetRevision: '1.0.0' } },
  elsewhere: { source: { ...chart, repoURL: 'https://github.com/someone/else', helm: {} } },
  directory: { source: { ...chart, path: 'manifests' } },
  kustomize: { source: { ...chart, kustomize: {} } },
  several: { sources: [chart, { repoURL: 'https://charts.example.com', chart: 'x', targetRevision: '1' }] },
  hydrated: { sourceHydrator: { drySource: chart } },
  nothing: {},
};

test('argocd/ is .yaml, .yml and .json; of its Applications, charts of this repository alone are services', async () => {
  for (const [index, [name, spec]] of Object.entries(sources).entries())
    write(
      root,
      `argocd/${name}.${['yaml', 'yml', 'json'][index % 3]}`,
      JSON.stringify(argo('Application', name, spec)),
    );
  write(root, 'argocd/config.yml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: config }\n');
  write(root, 'argocd/notes.txt', 'no manifest');
  const { objects, applications } = await readRegistrations(root);
  assert.deepEqual(applications.map(({ metadata }) => metadata.name).sort(), Object.keys(sources).sort());
  assert.ok(objects.some(({ kind }) => kind === 'ConfigMap'));
  assert.ok(objects.every(({ metadata }) => metadata.namespace === 'argocd'));
  const services = await readServiceApplications(place);
  assert.deepEqual(
    services.map(({ metadata, spec }) => [metadata.name, spec.source.path, spec.source.helm.valueFiles]),
    [['web', 'helm/web', []]],
  );
});

test('a manifest in a subfolder is refused, rather than registered nowhere', async () => {
  const other = createRepository(join(await temporaryFolder(), 'deep'));
  write(other, 'argocd/team-a/web.yaml', JSON.stringify(argo('Application', 'web', sources.web ?? {})));
  const { error } = await refusal(() => readRegistrations(other));
  assert.equal(error.id, 'registration-subfolder');
});

const outside: [source: object, message: RegExp][] = [
  [
    { path: '/helm/web' },
    /^argocd\/web\.yaml can't be read: the path \/helm\/web begins with a slash, and has to be helm\/web, /,
  ],
  [
    { path: '../web' },
    /the path \.\.\/web leads out of the repository, which Argo CD refuses, in the Application web\.$/,
  ],
  [
    { helm: { valueFiles: ['../../../x.yaml'] } },
    /the values file \.\.\/\.\.\/\.\.\/x\.yaml leads out of the repository/,
  ],
  [{ helm: { valueFiles: ['/../x.yaml'] } }, /the values file \/\.\.\/x\.yaml leads out of the repository/],
];
for (const [source, message] of outside)
  test(`a source with ${JSON.stringify(source)} is refused in one sentence, as by Argo CD`, async () => {
    const other = createRepository(await temporaryFolder());
    write(other, 'argocd/web.yaml', JSON.stringify(argo('Application', 'web', { source: { ...chart, ...source } })));
    const { error } = await refusal(() => readRegistrations(other));
    assert.match(error.message, message);
  });

const to: Redirection = {
  isOurs: (url) => url === shipped,
  repoURL: 'git://here',
  targetRevision: 'HEAD',
  prefix: 'ops/',
  environment: 'dev',
  parameters: new Map([['linked', [{ name: 'ingress.annotations.a', value: 'b' }]]]),
};
const here = { repoURL: 'git://here', targetRevision: 'HEAD', path: 'ops/helm/web' };
const foreign = { repoURL: 'https://charts.example.com', chart: 'x', targetRevision: '1' };
const own = { name: 'ingress.annotations.a', value: 'c' };
const redirected: [what: string, object: KubeObject, spec: object][] = [
  [
    'a chart with what it has to know of this machine, after its own parameters',
    argo('Application', 'linked', { source: { ...chart, helm: { parameters: [own] } } }),
    { source: { ...here, helm: { parameters: [own, ...(to.parameters.get('linked') ?? [])] } } },
  ],
  [
    'a chart, with the values of the environment',
    argo('Application', 'a', { source: { ...chart, helm: { valueFiles: ['values-prod.yaml'] } } }),
    { source: { ...here, helm: { valueFiles: ['values-dev.yaml'] } } },
  ],
  ...[
    ['./values-prod.yaml', 'values-dev.yaml'],
    ['./a.yaml', './a.yaml'],
    ['../../shared.yaml', '../../shared.yaml'],
    ['/shared.yaml', '/ops/shared.yaml'],
    ['/helm/web/values-prod.yaml', '/ops/helm/web/values-dev.yaml'],
    ['$other/values-prod.yaml', '$other/values-prod.yaml'],
  ].map(([written, file]): [string, KubeObject, object] => [
    `the values file ${written}`,
    argo('Application', 'a', { source: { ...chart, helm: { valueFiles: [written] } } }),
    { source: { ...here, helm: { valueFiles: [file] } } },
  ]),
  ['one of several sources', argo('Application', 'a', { sources: [foreign, chart] }), { sources: [foreign, here] }],
  ['no source elsewhere', argo('Application', 'a', { source: foreign }), { source: foreign }],
  [
    'the generator and the template of an ApplicationSet',
    argo('ApplicationSet', 'a', {
      generators: [{ git: { repoURL: shipped, revision: 'main', directories: [{ path: 'apps/*' }] } }],
      template: { spec: { source: { ...chart, path: '{{.path.path}}' } } },
    }),
    {
      generators: [{ git: { repoURL: 'git://here', revision: 'HEAD', directories: [{ path: 'ops/apps/*' }] } }],
      template: { spec: { source: { ...here, path: '{{.path.path}}' } } },
    },
  ],
  [
    'the address in a project, beside the others',
    argo('AppProject', 'a', { sourceRepos: [shipped, 'https://charts.example.com'] }),
    { sourceRepos: ['git://here', 'https://charts.example.com'] },
  ],
];
for (const [what, object, spec] of redirected)
  test(`redirected is ${what}`, () => assert.deepEqual(redirect(object, to), { ...object, spec }));

test('a project that allows this repository by a pattern allows its address here', () => {
  const spec = redirect(argo('AppProject', 'a', { sourceRepos: ['https://github.com/zainasr/*'] }), to).spec;
  assert.deepEqual(spec, { sourceRepos: ['git://here', 'https://github.com/zainasr/*'] });
});

test('other kinds are registered as they are written', () => {
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a' }, stringData: { url: shipped } };
  assert.equal(redirect(secret, to), secret);
});

const project = argo('AppProject', 'p', {
  sourceRepos: ['https://github.com/ours/*', '!https://github.com/ours/secret'],
  destinations: [{ server: 'https://kubernetes.default.svc', namespace: 'default' }],
});
const application = (repoURL: string, spec: object = {}) =>
  argo('Application', 'a', {
    project: 'p',
    source: { repoURL },
    destination: { name: 'in-cluster', namespace: 'default' },
    ...spec,
  });
const allowed: [what: string, KubeObject, hint?: RegExp][] = [
  ['by a pattern', application('https://GitHub.com/ours/a.git')],
  ['not from elsewhere', application('https://x.org/a'), /"- https:\/\/x\.org\/a" to spec\.sourceRepos/],
  ['not where it is forbidden', application('https://github.com/ours/secret'), /sourceRepos/],
  [
    'not into another namespace',
    application('https://github.com/ours/a', {
      destination: { server: 'https://kubernetes.default.svc', namespace: 'x' },
    }),
    /"- \{server: https:\/\/kubernetes\.default\.svc, namespace: x\}" to spec\.destinations/,
  ],
  ['not in a project that is not there', application('https://github.com/ours/a', { project: 'q' }), /AppProject q/],
  ['not in the closed project', application('https://github.com/ours/a', { project: 'default' }), /AppProject default/],
];
for (const [what, object, hint] of allowed)
  test(`a project allows an Application ${what}`, async () => {
    if (!hint) return assertProjectsAllow([project, object]);
    const { error } = await refusal(async () => assertProjectsAllow([project, object]));
    assert.equal(error.id, 'project-refuses');
    assert.match(error.hint ?? '', hint);
  });

test('an Application that is no service is told to be one where a service is asked for', async () => {
  const folder = await temporaryFolder();
  const chart = { repoURL: 'https://charts.example.com', chart: 'redis', targetRevision: '1' };
  write(folder, 'argocd/redis.yaml', JSON.stringify(argo('Application', 'redis', { source: chart })));
  const findIn = { config: { root: folder, gitops: undefined }, exec: gitExec };
  assert.match((await refusal(() => findServices(findIn, 'redis'))).text, /redis is an Application, and no service: /);
  assert.match((await refusal(() => findServices(findIn, 'rediz'))).text, /There is no service "rediz"/);
});
