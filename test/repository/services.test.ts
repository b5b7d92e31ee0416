import assert from 'node:assert/strict';
import { rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Workload } from '../../scripts/kubernetes/types.ts';
import { readCheckout } from '../../scripts/lib/git/checkout.ts';
import {
  type Application,
  deploymentOf,
  localValueFiles,
  type ServiceApplication,
} from '../../scripts/repository/applications.ts';
import { imagesAtHead, ingressesAtHead, servicesAtHead } from '../../scripts/repository/committed-values.ts';
import { readRegistrations } from '../../scripts/repository/registrations.ts';
import { findServices } from '../../scripts/repository/service-files.ts';
import { fakeContext, refusal, temporaryFolder } from '../support/fakes.ts';
import { commit, committedFiles, createRepository, gitExec, write } from '../support/repository.ts';

const repository = createRepository(join(await temporaryFolder(), 'repository'));
const values = 'helm/core-go/values.yaml';
const image = (tag: string, repository = 'ghcr.io/a/core-go') => `image:\n  repository: ${repository}\n  tag: ${tag}\n`;

const application = `
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: { name: core-go, namespace: argocd }
spec:
  source:
    path: helm/core-go
    helm: { releaseName: core-go, valueFiles: [values.yaml, values-prod.yaml] }
`;
const base: Record<string, string> = {
  'argocd/core-go.yaml': application,
  'argocd/project.yaml': 'apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: { name: platform }\n',
  'argocd/README.md': 'not a manifest',
  [values]: image('abc1234'),
  'helm/core-go/values-dev.yaml': 'replicas: 1\n',
  'helm/core-go/values-prod.yaml': image('production'),
};

/** The images at a new commit with these files, the repository's top being that folder below the checkout's. */
async function imagesWith(files: Record<string, string>, prefix = '') {
  const root = join(repository, prefix);
  commit(root, 'change', { ...base, ...files });
  return imagesAtHead(contextOf(root));
}
const contextOf = (root: string, environment = 'dev') =>
  fakeContext({ config: { root, environment }, exec: gitExec, checkout: () => readCheckout(gitExec, root) });

test('the images are those that the values of a local cluster name, not production’s', async () => {
  assert.deepEqual(await imagesWith({}), new Map([['core-go', 'ghcr.io/a/core-go:abc1234']]));
});

test('what is edited but not committed does not count', async () => {
  write(repository, values, image('edited'));
  assert.equal((await imagesAtHead(contextOf(repository))).get('core-go'), 'ghcr.io/a/core-go:abc1234');
});

test('values-dev.yaml wins, key by key', async () => {
  const images = await imagesWith({ 'helm/core-go/values-dev.yaml': 'image:\n  tag: "999"\n' });
  assert.equal(images.get('core-go'), 'ghcr.io/a/core-go:999');
});

test('a repository below the top of its checkout is read there', async () => {
  const images = await imagesWith({ [values]: image('below') }, 'platform/ops');
  assert.equal(images.get('core-go'), 'ghcr.io/a/core-go:below');
});

/** The images where a commit has those values, without a commit for each of them. */
function imagesOf(text: string) {
  const head = '0123456789abcdef';
  const exec = committedFiles({ [values]: text, 'helm/core-go/values-dev.yaml': '' });
  const checkout = async () => ({ top: repository, prefix: '', head });
  return imagesAtHead(fakeContext({ config: { root: repository, environment: 'dev' }, exec, checkout }));
}

for (const tag of ['1234567', '12e4567', '1e5', '0123456', '0x1f', '1_000', '~', '', 'true', 'on', 'NO']) {
  test(`the tag ${tag || '(nothing)'}, which YAML does not read as a text, is refused with file and commit`, async () => {
    const { error } = await refusal(() => imagesOf(image(tag)));
    assert.equal(error.id, 'values-invalid');
    assert.match(error.message, /^helm\/core-go\/values\.yaml at 0123456 .*image\.tag/);
    assert.match(error.hint ?? '', /quotes/);
  });
  test(`the tag "${tag}" in quotes is ${tag === '' ? 'refused, too' : 'a text'}`, async () => {
    const images = imagesOf(image(`"${tag}"`));
    if (tag === '') await assert.rejects(images, { id: 'values-invalid' });
    else assert.equal((await images).get('core-go'), `ghcr.io/a/core-go:${tag}`);
  });
}

test('values that are not valid YAML are refused with file, commit and reason', async () => {
  const { error } = await refusal(() => imagesOf(`${image('abc')}broken: [1\n`));
  assert.equal(error.id, 'values-invalid');
  assert.match(error.message, /^helm\/core-go\/values\.yaml at 0123456 .*: \S[^\n]+$/);
  assert.match(error.hint ?? '', /commit/);
});

test('what a commit says is read once for a checkout, and anew for the next', async () => {
  let reads = 0;
  const exec: typeof gitExec = (command, options) => {
    if (command.includes('cat-file')) reads += 1;
    return gitExec(command, options);
  };
  const checkout = await contextOf(repository).checkout();
  const context = { ...contextOf(repository), exec, checkout: async () => checkout };
  const [one, other] = await Promise.all([imagesAtHead(context), imagesAtHead(context)]);
  assert.deepEqual([one === other, reads], [true, 1]);
  await imagesAtHead({ ...context, checkout: async () => ({ ...checkout }) });
  assert.equal(reads, 2);
});

test('a chart by hand may name its image in another way, which is none to promote or to pull for', async () => {
  for (const text of ['replicas: 1\n', 'image: nginx:1.27\n', 'image: ~\n'])
    assert.equal((await imagesOf(text)).size, 0);
  const bare = application.replaceAll('core-go', 'by-hand').replace('[values.yaml, values-prod.yaml]', '[]');
  const files = { 'argocd/by-hand.yaml': bare, 'helm/by-hand/Chart.yaml': 'name: by-hand\n' };
  commit(repository, 'change', { ...base, ...files });
  const services = await servicesAtHead(contextOf(repository));
  assert.deepEqual(
    services.map(({ name, program, isScalable }) => [name, program, isScalable]),
    [
      ['by-hand', undefined, false],
      ['core-go', 'core-go', false],
    ],
  );
  rmSync(join(repository, 'argocd/by-hand.yaml'));
});

test('a service is what its Application and its values say: namespace, program, whom it calls', async () => {
  const files = {
    'argocd/core-go.yaml': `${application}  destination: { namespace: internal }\n`,
    [values]: `${image('abc', 'localhost:5000/a/b/program')}replicaCount: 3\nnetworkPolicy: { toServices: [{ name: other, port: 1 }] }\n`,
  };
  commit(repository, 'change', { ...base, ...files });
  assert.deepEqual(await servicesAtHead(contextOf(repository)), [
    {
      ...{ name: 'core-go', namespace: 'internal', path: 'helm/core-go', program: 'program' },
      ...{ calls: ['other'], isScalable: true },
    },
  ]);
});

test('the Deployment of an Application is the one of its name in its namespace, or else the first that it lists', () => {
  const deployment = (name: string, namespace: string) => ({ metadata: { name, namespace } }) as Workload;
  const app = (namespace: string | undefined, ...listed: string[]) =>
    ({
      metadata: { name: 'a' },
      spec: { destination: { namespace } },
      status: { resources: listed.map((name) => ({ kind: 'Deployment', name, namespace: 'internal' })) },
    }) as Application;
  const all = [deployment('a', 'other'), deployment('b', 'internal'), deployment('c', 'internal')];
  const named = (application: Application, more: Workload[] = []) =>
    deploymentOf(application, [...all, ...more])?.metadata.name;
  assert.equal(named(app('internal')), undefined);
  assert.equal(named(app('internal', 'c', 'b')), 'c');
  assert.equal(named(app('internal', 'c'), [deployment('a', 'internal')]), 'a');
  assert.equal(named(app(undefined), [deployment('a', 'default')]), 'a');
});

test('part of an image is refused', async () => {
  for (const text of ['image:\n  tag: abc\n', image('abc', '""')]) {
    const { error } = await refusal(() => imagesOf(text));
    assert.equal(error.id, 'values-invalid');
  }
});

const naming = (valueFiles: readonly string[], more = {}) => ({
  'argocd/core-go.yaml': application.replace(/helm: .*/, `helm: ${JSON.stringify({ ...more, valueFiles })}`),
  'helm/core-go/values-dev.yaml': 'image: { tag: dev }\n',
  'helm/shared.yaml': 'image: { tag: shared }\n',
});
const written: [valueFiles: string[], tag: string][] = [
  [['./values.yaml', './values-prod.yaml'], 'dev'],
  [['values.yaml', '../core-go/values-prod.yaml'], 'dev'],
  [['values.yaml', '/helm/core-go/values-prod.yaml'], 'dev'],
  [['values.yaml', '../shared.yaml'], 'shared'],
  [['/helm/core-go/values.yaml', '/helm/shared.yaml'], 'shared'],
  [['values.yaml', 'linked.yaml'], 'shared'],
  [['values.yaml', 'https://example.com/values.yaml'], 'abc1234'],
  [[], 'abc1234'],
];
for (const [valueFiles, tag] of written)
  test(`values files written as ${valueFiles.join(', ') || 'nothing'} are found as Argo CD finds them`, async () => {
    const link = join(repository, 'helm/core-go/linked.yaml');
    symlinkSync('../shared.yaml', link);
    const images = await imagesWith(naming(valueFiles)).finally(() => rmSync(link));
    assert.equal(images.get('core-go'), `ghcr.io/a/core-go:${tag}`);
  });

test('a values file that is not in the commit is refused, unless missing ones are ignored', async () => {
  const files = ['values.yaml', 'gone.yaml'];
  const { error } = await refusal(() => imagesWith(naming(files)));
  assert.match(
    error.message,
    /^helm\/core-go\/gone\.yaml at \w{7} is not in that commit, so Argo CD can't render core-go\.$/,
  );
  const ignored = await imagesWith(naming(files, { ignoreMissingValueFiles: true }));
  assert.equal(ignored.get('core-go'), 'ghcr.io/a/core-go:abc1234');
});

test('the values file of a service is the one that a link leads to, which is what a promotion edits', async () => {
  commit(repository, 'change', { ...base, 'shared/core-go.yaml': image('abc1234') });
  rmSync(join(repository, values));
  symlinkSync('../../shared/core-go.yaml', join(repository, values));
  const [service] = await findServices(
    { config: { root: repository, gitops: undefined }, exec: gitExec },
    'all',
  ).finally(() => rmSync(join(repository, values)));
  assert.equal(service?.file, 'shared/core-go.yaml');
});

test('a service that is not committed yet is called that', async () => {
  const checkout = async () => ({ top: repository, prefix: '', head: '0123456789abcdef' });
  const config = { root: repository, environment: 'dev' };
  const { error } = await refusal(() => imagesAtHead(fakeContext({ config, exec: committedFiles({}), checkout })));
  assert.equal(error.id, 'values-invalid');
  assert.match(error.hint ?? '', /Commit helm\/core-go/);
});

test('registrations are all objects of argocd/, in Argo CD’s namespace; other files are not read', async () => {
  const { objects, applications } = await readRegistrations(repository);
  assert.deepEqual(
    objects.map(({ kind, metadata }) => [kind, metadata.namespace]),
    [
      ['Application', 'argocd'],
      ['AppProject', 'argocd'],
    ],
  );
  assert.deepEqual(
    applications.map(({ metadata }) => metadata.name),
    ['core-go'],
  );
});

test('production’s values file is that of the environment, in its place; others stay', () => {
  const valueFiles = ['c/values.yaml', 'c/values-prod.yaml', 'shared/values-prod.yaml'];
  const source = { path: 'c', helm: { valueFiles: [...valueFiles, 'https://x.org/y.yaml'] } };
  const application = { spec: { source } } as unknown as ServiceApplication;
  assert.deepEqual(localValueFiles(application, 'dev'), [
    'c/values.yaml',
    'c/values-dev.yaml',
    'shared/values-prod.yaml',
  ]);
  assert.deepEqual(localValueFiles(application, 'prod'), valueFiles);
});

/** The Ingresses that these values ask for, in that environment. */
function ingressesWith(files: Record<string, string>, environment?: string) {
  commit(repository, 'change', { ...base, ...files });
  return ingressesAtHead(contextOf(repository, environment));
}
const ingress = `
ingress:
  enabled: true
  hosts: [{ host: api.example.com, paths: [] }]
  tls: []
`;

test('an Ingress is as values.yaml and the environment’s values say together; lists are replaced as a whole', async () => {
  const files = {
    [values]: image('abc1234') + ingress,
    'helm/core-go/values-dev.yaml':
      'ingress: { hosts: [{ host: a.localhost }, { host: b.localhost }], tls: [{ secretName: s, hosts: [a.localhost] }] }\n',
    'helm/core-go/values-prod.yaml': 'ingress: { tls: [{ secretName: prod }, { hosts: [api.example.com] }] }\n',
  };
  assert.deepEqual(await ingressesWith(files), [
    {
      service: 'core-go',
      namespace: 'default',
      hosts: ['a.localhost', 'b.localhost'],
      tls: [{ secretName: 's', hosts: ['a.localhost'] }],
      annotations: {},
    },
  ]);
  assert.deepEqual(
    await ingressesWith(files, 'prod'),
    [
      {
        service: 'core-go',
        namespace: 'default',
        hosts: ['api.example.com'],
        tls: [{ secretName: 'prod', hosts: ['api.example.com'] }],
        annotations: {},
      },
    ],
    'without hosts of its own a certificate is for all; without a Secret there is none to make',
  );
});

test('a service without an Ingress, or with one that is off or taken away, has none', async () => {
  for (const dev of ['replicas: 1\n', 'ingress: { enabled: false }\n', 'ingress: null\n']) {
    const files = { [values]: image('abc1234') + (dev.includes('replicas') ? '' : ingress) };
    assert.deepEqual(await ingressesWith({ ...files, 'helm/core-go/values-dev.yaml': dev }), [], dev);
  }
});
