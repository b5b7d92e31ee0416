import assert from 'node:assert/strict';
import { existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { localRepoUrl } from '../../scripts/components/git-source.ts';
import { chartFiles } from '../../scripts/delivery/diff/chart-files.ts';
import { helmArguments } from '../../scripts/delivery/diff/helm-arguments.ts';
import { createRenderer } from '../../scripts/delivery/diff/render.ts';
import { apiVersions, targetsOf } from '../../scripts/delivery/diff/targets.ts';
import { identityOf, nameOf } from '../../scripts/kubernetes/objects.ts';
import type { ExecOptions } from '../../scripts/lib/exec.ts';
import { readCheckout } from '../../scripts/lib/git/checkout.ts';
import { application, facts } from '../support/diff.ts';
import { fakeContext, fakeExec, refusal, temporaryFolder } from '../support/fakes.ts';
import { needsHelm } from '../support/helm.ts';
import { commit, createRepository, gitExec, write } from '../support/repository.ts';

const chart = {
  'helm/web/Chart.yaml':
    'apiVersion: v2\nname: web\nversion: 0.1.0\ndependencies: [{ name: common, version: 0.1.0 }]\n',
  'helm/web/values.yaml': 'word: values\n',
  'helm/web/values-dev.yaml': 'word: dev\n',
  'helm/web/templates/map.yaml': '{{ include "common.map" . }}\n',
  'helm/common/Chart.yaml': 'apiVersion: v2\nname: common\nversion: 0.1.0\ntype: library\n',
  'helm/common/templates/_map.tpl': [
    '{{- define "common.map" -}}',
    'apiVersion: v1',
    'kind: ConfigMap',
    'metadata: { name: {{ .Release.Name }} }',
    'data:',
    '  word: {{ .Values.word }}',
    '  version: {{ .Capabilities.KubeVersion }}',
    '  known: {{ .Capabilities.APIVersions.Has "policy/v1/PodDisruptionBudget" | quote }}',
    '  namespace: {{ .Release.Namespace }}',
    '{{- end }}',
    '',
  ].join('\n'),
  '.gitignore': '*.log\n',
  'elsewhere/secret.txt': 'not part of any chart\n',
};

/** A repository with a chart whose library is a symbolic link. */
async function repository(below = ''): Promise<{ top: string; root: string }> {
  const top = createRepository(join(await temporaryFolder(), 'a folder'));
  const root = join(top, below);
  for (const [file, text] of Object.entries(chart)) write(root, file, text);
  mkdirSync(join(root, 'helm/web/charts'));
  symlinkSync('../../common', join(root, 'helm/web/charts/common'));
  commit(top, 'Start');
  return { top, root };
}
const paths = async (top: string) =>
  (await chartFiles(gitExec, top, ['helm/web'])).map(({ header }) => header.name).sort();

test('a chart comes with what its links lead to, and with nothing else', async () => {
  const { top } = await repository();
  assert.deepEqual(
    await paths(top),
    [...Object.keys(chart).filter((path) => path.startsWith('helm/')), 'helm/web/charts/common'].sort(),
  );
  const files = await chartFiles(gitExec, top, ['helm/web']);
  const link = files.find(({ header }) => header.name === 'helm/web/charts/common');
  assert.deepEqual([link?.header.type, link?.header.linkname], ['symlink', '../../common']);
});

const proc = { skip: existsSync('/proc/version') ? false : 'there is no /proc' };
test('a file that grows while it is read is packed as it was read', proc, async () => {
  // Its size is told as 0 before it is read.
  const exec = fakeExec(() => ({ stdout: 'version\0' }));
  const [file] = await chartFiles(exec, '/proc', ['version']);
  assert.equal(file?.header.size, Buffer.byteLength(String(file?.body)));
});

test('what is edited, new or deleted counts, committed or not; what Git ignores does not', async () => {
  const { top } = await repository();
  write(top, 'helm/web/values.yaml', 'word: edited\n');
  write(top, 'helm/web/templates/ünew [1].yaml', 'a: b\n');
  write(top, 'helm/web/debug.log', 'x');
  rmSync(join(top, 'helm/web/values-dev.yaml'));
  const files = await chartFiles(gitExec, top, ['helm/web']);
  const edited = files.find(({ header }) => header.name === 'helm/web/values.yaml');
  assert.equal(String(edited?.body), 'word: edited\n');
  const all = files.map(({ header }) => header.name);
  assert.ok(all.includes('helm/web/templates/ünew [1].yaml'), all.join());
  for (const path of ['helm/web/debug.log', 'helm/web/values-dev.yaml']) assert.ok(!all.includes(path), path);
});

for (const [link, where] of [
  ['../../../outside', 'helm/web/out'],
  ['/etc/hostname', 'helm/web/out'],
]) {
  test(`a link to ${link} is refused, as Argo CD refuses it`, async () => {
    const { top } = await repository();
    symlinkSync(link ?? '', join(top, where ?? ''));
    const { text } = await refusal(() => chartFiles(gitExec, top, ['helm/web']));
    assert.match(text, /helm\/web\/out is a symbolic link to .*out of the repository/);
  });
}

test('links that lead in a circle end', async () => {
  const { top } = await repository();
  symlinkSync('.', join(top, 'helm/common/self'));
  assert.ok((await paths(top)).includes('helm/common/self'));
});

test('helm is told the release, the namespace, the files, and what the cluster is, as by Argo CD', () => {
  const args = helmArguments('', application(), facts);
  assert.deepEqual(args.slice(0, 10), [
    ...['--name-template', 'web', '--namespace', 'default', '--kube-version', '1.36.4'],
    ...['--values', 'values.yaml', '--values', 'values-dev.yaml'],
  ]);
  assert.equal(args.at(-1), '--include-crds');
  const versions = args.filter((_, index) => args[index - 1] === '--api-versions');
  assert.deepEqual(versions, apiVersions(facts));
  assert.deepEqual(versions.slice(0, 4), [
    'apps/v1',
    'apps/v1/Deployment',
    'policy/v1',
    'policy/v1/PodDisruptionBudget',
  ]);
  assert.ok(!versions.includes('v1/Binding'), 'what can not be listed is not told');
});

test('values files elsewhere in the repository are found from the chart, and from its top', () => {
  const { spec } = application();
  const helm = { ...spec.source.helm, valueFiles: ['../shared.yaml', '/env/dev.yaml'] };
  const args = helmArguments('', application('web', { source: { ...spec.source, helm } }), facts);
  assert.deepEqual(
    args.filter((_, index) => args[index - 1] === '--values'),
    ['../shared.yaml', '../../env/dev.yaml'],
  );
});

const { source } = application().spec;
const withParameters = (...parameters: object[]) => ({ source: { ...source, helm: { ...source.helm, parameters } } });
test('parameters come to helm as Argo CD gives them: a comma ends none', () => {
  const all = [
    { name: 'a\\.b/c', value: 'https://api.localhost:9443/info' },
    { name: 'd', value: '1,2\\,3', forceString: true },
  ];
  const args = helmArguments('', application('web', withParameters(...all)), facts);
  const from = args.indexOf('--set');
  assert.deepEqual(args.slice(from, from + 4), [
    ...['--set', 'a\\.b/c=https://api.localhost:9443/info'],
    ...['--set-string', 'd=1\\,2\\,3'],
  ]);
});

for (const [spec, named] of [
  [withParameters({ name: 'a', value: '$ARGOCD_APP_NAME' }), 'spec.source.helm.parameters'],
  [withParameters({ name: 'a', value: '{b,c}' }), 'spec.source.helm.parameters'],
  [{ source: { ...source, kustomize: {} } }, 'spec.source.kustomize'],
  [{ sourceHydrator: {} }, 'spec.sourceHydrator'],
  [{ source: { ...source, directory: { jsonnet: {} } } }, 'spec.source.directory.jsonnet'],
  [{ source: { ...source, helm: { ...source.helm, valueFiles: ['https://x/y.yaml'] } } }, 'https://x/y.yaml'],
  [{ source: { ...source, helm: { ...source.helm, valueFiles: ['$ref/y.yaml'] } } }, '$ref/y.yaml'],
] as const) {
  test(`an Application with ${named} is refused rather than rendered without it`, async () => {
    const { text } = await refusal(() => helmArguments('', application('web', spec), facts));
    assert.ok(text.includes(`has ${named.startsWith('spec') ? '' : 'the values file '}${named}, which`), text);
  });
}

/** A repo-server that is this machine: what would be run in its pod runs here. */
function here(root: string, top = root) {
  const pod = {
    metadata: {
      name: 'repo-server-1',
      namespace: 'argocd',
      labels: { 'app.kubernetes.io/name': 'argocd-repo-server' },
    },
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
  };
  const calls: string[][] = [];
  const context = fakeContext({
    config: { root },
    exec: gitExec,
    checkout: () => readCheckout(gitExec, root),
    view: () => ({ list: async () => [pod] }),
    kubectl: async () => ({
      run: (args: string[], options: ExecOptions) => {
        calls.push(args);
        const [file = '', ...rest] = args.slice(args.indexOf('--') + 1);
        return gitExec([file, ...rest], options);
      },
    }),
  });
  return { context, calls, top };
}
const leftBehind = async () => (await readdir('/tmp')).filter((name) => name.startsWith('platform-ops-diff'));

test('the chart of the working tree is rendered in the pod, which keeps nothing of it', needsHelm, async () => {
  const before = await leftBehind();
  const { root, top } = await repository('deep/down');
  write(root, 'helm/web/values-dev.yaml', 'word: uncommitted\n');
  const { context, calls } = here(root, top);
  const render = await createRenderer(context);
  const { spec } = application();
  const below = application('web', { source: { ...spec.source, path: 'deep/down/helm/web' } });
  const output = await render(below, facts);
  const [map] = targetsOf(output, below, facts).objects;
  assert.deepEqual(map?.data, { word: 'uncommitted', version: 'v1.36.4', known: 'true', namespace: 'default' });
  const exec = ['exec', '--stdin', 'repo-server-1', '--namespace', 'argocd', '--container', 'argocd-repo-server', '--'];
  assert.deepEqual(calls[0]?.slice(0, exec.length), exec);
  assert.deepEqual(await leftBehind(), before);
});

const faults: [string, Record<string, string>, RegExp][] = [
  [
    'a template that is none',
    { 'helm/web/templates/map.yaml': 'a: b\n{{ if }}\n' },
    /web can't be rendered: helm\/web\/templates\/map\.yaml:2: .*missing value for if/,
  ],
  [
    'a fault in the library',
    { 'helm/common/templates/_map.tpl': '{{ define "common.map" }}\n{{ fail "no word" }}{{ end }}' },
    /web can't be rendered: .*no word/,
  ],
  ['values that are no YAML', { 'helm/web/values-dev.yaml': 'a:\n  - b\n c: d\n' }, /helm\/web\/values-dev\.yaml:\d: /],
];
for (const [what, files, said] of faults) {
  test(`${what} is told with its file, and nothing is left behind`, needsHelm, async () => {
    const before = await leftBehind();
    const { root } = await repository();
    for (const [file, text] of Object.entries(files)) write(root, file, text);
    const render = await createRenderer(here(root).context);
    const { text } = await refusal(() => render(application(), facts));
    assert.match(text, said);
    assert.doesNotMatch(text, /api-versions|platform-ops-diff/);
    assert.deepEqual(await leftBehind(), before);
  });
}

test('of several sources each is rendered, unless one is elsewhere', async () => {
  const { root } = await repository();
  for (const name of ['one', 'two'])
    write(root, `${name}/map.yaml`, `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n`);
  const render = await createRenderer(here(root).context);
  const sourceOf = (path: string, repoURL = localRepoUrl) => ({ repoURL, targetRevision: 'HEAD', path });
  const of = (...sources: object[]) => application('web', { source: undefined, sources });
  const several = of({ ...sourceOf('one'), kustomize: {} }, sourceOf('two'));
  const { objects } = targetsOf(await render(several, facts), several, facts);
  assert.deepEqual(
    objects.map(({ metadata }) => metadata.name),
    ['one', 'two'],
  );
  const mixed = of(sourceOf('one'), sourceOf('two', 'https://example.com/else.git'));
  const { text } = await refusal(() => render(mixed, facts));
  assert.match(text, /web has a source in https:\/\/example\.com\/else\.git, which npm run diff can't render/);
});

test('a pod that can not do it is no fault of the chart', async () => {
  const { root } = await repository();
  const { context } = here(root);
  const failing = fakeContext({
    ...context,
    kubectl: async () => ({ run: async () => ({ stdout: '', stderr: 'error: pod is gone\n', exitCode: 1 }) }),
  });
  const { text } = await refusal(async () => (await createRenderer(failing))(application(), facts));
  assert.match(text, /repo-server could not render web: error: pod is gone\n.*npm run status/);
});

test('without a repo-server, or one that is ready, it is said what is missing', async () => {
  const { context } = here((await repository()).root);
  for (const [pods, said] of [
    [[], /is not there/],
    [[{ ...(await context.view().list('v1', 'Pod'))[0], status: {} }], /is not ready/],
  ] as const) {
    const without = fakeContext({ ...context, view: () => ({ list: async () => pods }) });
    assert.match((await refusal(() => createRenderer(without))).text, said);
  }
});

const rendered = (text: string) => targetsOf(text, application(), facts);
const head = (kind: string, name: string, more = '') =>
  `---\n# Source: x\napiVersion: ${kind === 'Deployment' ? 'apps/v1' : 'v1'}\nkind: ${kind}\nmetadata:\n  name: ${name}\n${more}`;

test('objects get the namespace and the mark by which Argo CD knows them, where their kind has one', () => {
  const { objects } = rendered(
    head('ConfigMap', 'a') + head('ConfigMap', 'b', '  namespace: other\n') + head('Namespace', 'team'),
  );
  assert.deepEqual(objects.map(nameOf), ['ConfigMap default/a', 'ConfigMap other/b', 'Namespace team']);
  assert.deepEqual(
    objects.map(({ metadata }) => metadata.annotations?.['argocd.argoproj.io/tracking-id']),
    ['web:/ConfigMap:default/a', 'web:/ConfigMap:other/b', 'web:/Namespace:default/team'],
  );
});

test('a CRD is no part of an Application', () => {
  const crd = head('CustomResourceDefinition', 'a');
  assert.equal(rendered(crd).objects[0]?.metadata.annotations, undefined);
});

test('the output is read as Go reads it: YAML 1.1, without points in time', () => {
  const { objects } = rendered(
    head('ConfigMap', 'a', 'data:\n  yes: on\n  octal: 010\n  day: 2024-01-02\n  time: 12:30:45\n'),
  );
  assert.deepEqual(objects[0]?.data, { true: true, octal: 8, day: '2024-01-02', time: '12:30:45' });
});

test('an object that is there twice counts once, as the last one says, and a list is what is in it', () => {
  const list = '---\napiVersion: v1\nkind: List\nitems:\n  - { apiVersion: v1, kind: Secret, metadata: { name: s } }\n';
  const { objects } = rendered(
    head('ConfigMap', 'a', 'data: { x: first }\n') + list + head('ConfigMap', 'a', 'data: { x: last }\n'),
  );
  assert.deepEqual(objects.map(identityOf).sort(), [' ConfigMap default a', ' Secret default s']);
  assert.deepEqual(objects[0]?.data, { x: 'last' });
});

const hooks: [string, string[] | 'none' | 'ordinary'][] = [
  ['helm.sh/hook: test', 'none'],
  ['helm.sh/hook: pre-install,pre-upgrade', ['PreSync']],
  ['helm.sh/hook: post-upgrade, test', ['PostSync']],
  ['helm.sh/hook: pre-delete', 'none'],
  ['helm.sh/hook: crd-install', 'ordinary'],
  ['argocd.argoproj.io/hook: PreSync,PostSync', ['PreSync', 'PostSync']],
  ['argocd.argoproj.io/hook: Skip', 'none'],
  ['argocd.argoproj.io/hook: PostDelete', 'none'],
  ['other: x', 'ordinary'],
];
for (const [annotation, phases] of hooks) {
  test(`${annotation} makes an object ${phases === 'none' ? 'one that Argo CD leaves alone' : phases}`, () => {
    const { objects, hooks } = rendered(head('ConfigMap', 'a', `  annotations:\n    ${annotation}\n`));
    assert.equal(objects.length, phases === 'ordinary' ? 1 : 0);
    assert.deepEqual(
      hooks.map((hook) => hook.phases),
      Array.isArray(phases) ? [phases] : [],
    );
  });
}

for (const text of ['---\nkind: ConfigMap\n', '---\njust a text\n', '---\na: b\n c: d\n']) {
  test(`${JSON.stringify(text)} is no object`, async () => {
    assert.match((await refusal(() => rendered(text))).text, /web renders what is no object/);
  });
}

test('nothing rendered is nothing wanted', () => {
  assert.deepEqual(rendered('---\n# Source: x\n\n'), { objects: [], hooks: [] });
});
