// What keeps the commands from touching anything of a cluster that somebody else runs, and how they log in to one.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { assertNoTargetContext, existingCluster } from '../../scripts/cluster/existing-cluster.ts';
import { copyUserContext } from '../../scripts/cluster/kubeconfig.ts';
import { ownerOf } from '../../scripts/cluster/ownership.ts';
import { territoryOf } from '../../scripts/cluster/territory.ts';
import { assertNoForeignObjects } from '../../scripts/components/confirm-target.ts';
import { grafana } from '../../scripts/components/grafana.ts';
import { controllerObjects, controllerService, removeOtherController } from '../../scripts/components/ingress.ts';
import { loadConfig } from '../../scripts/config/config.ts';
import { connect } from '../../scripts/kubernetes/api/api.ts';
import { createConnection, loginOf } from '../../scripts/kubernetes/api/connection.ts';
import { identityOf, type KubeObject } from '../../scripts/kubernetes/objects.ts';
import { ExitCode } from '../../scripts/lib/errors.ts';
import type { Exec, Output } from '../../scripts/lib/exec.ts';
import { fakeContext, fakeExec, refusal, temporaryFolder } from '../support/fakes.ts';
import { services } from '../support/helm.ts';
import { committedFiles } from '../support/repository.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const arn = 'arn:aws:eks:eu-west-1:1:cluster/ours';
const repository = { GITOPS_REPO_URL: 'https://github.com/someone/ops.git' };

test('a context has a folder and a lock of its own, whatever characters are in its name', () => {
  const config = loadConfig('/nowhere', { TARGET_CONTEXT: arn, ...repository });
  assert.equal(config.clusterName, arn);
  assert.equal(config.stateDir, `/nowhere/.state/target.${encodeURIComponent(arn)}`);
  assert.equal(loadConfig('/nowhere', {}).target, undefined);
});

test('a context without a repository that its cluster reaches is refused', async () => {
  const { error, text } = await refusal(() => loadConfig('/nowhere', { TARGET_CONTEXT: 'x' }));
  assert.equal(error.exitCode, ExitCode.usage);
  assert.match(text, /TARGET_CONTEXT=x needs GITOPS_REPO_URL/);
});

test('without GITOPS_REPO_URL, the address of argocd/ is assumed for a context, and for nothing else', () => {
  const assumed = loadConfig(root, { TARGET_CONTEXT: 'x' });
  assert.equal(assumed.gitops?.repoUrl, 'https://github.com/zainasr/platform-ops.git');
  assert.equal(assumed.isRepositoryAssumed, true);
  assert.equal(loadConfig(root, { TARGET_CONTEXT: 'x', ...repository }).isRepositoryAssumed, false);
  assert.equal(loadConfig(root, {}).gitops, undefined);
});

test('what is for those who run the cluster is refused, and only there', async () => {
  const { error } = await refusal(() =>
    assertNoTargetContext({ ...loadConfig('/nowhere', {}), target: 'x' }, 'stop', 'no'),
  );
  assert.equal(error.id, 'target-not-for');
  assert.match(error.message, /stop .* x: no\./);
  assertNoTargetContext(loadConfig('/nowhere', {}), 'stop', 'no');
});

test('a token, a certificate and a plugin log in; a plugin is asked once, and again when its login is refused', async () => {
  assert.deepEqual((await loginOf({ token: 't' }).identity()).headers, { authorization: 'Bearer t' });
  const certificate = await loginOf({ 'client-certificate-data': 'Yw==', 'client-key-data': 'aw==' }).identity();
  assert.deepEqual([`${certificate.cert}`, `${certificate.key}`], ['c', 'k']);
  const expirationTimestamp = new Date(Date.now() + 3_600_000).toISOString();
  const exec = fakeExec(() => ({ stdout: JSON.stringify({ status: { token: 'p', expirationTimestamp } }) }));
  const plugin = { apiVersion: 'client.authentication.k8s.io/v1', command: 'aws', args: ['eks', 'get-token'] };
  const login = loginOf({ exec: { ...plugin, env: [{ name: 'A', value: 'b' }] } }, { exec });
  await login.identity();
  assert.deepEqual((await login.identity()).headers, { authorization: 'Bearer p' });
  assert.deepEqual(exec.lines(), ['aws eks get-token']);
  assert.equal(exec.calls[0]?.options.env?.A, 'b');
  assert.match(exec.calls[0]?.options.env?.KUBERNETES_EXEC_INFO ?? '', /"ExecCredential"/);
  assert.equal(login.renew(), true);
  await login.identity();
  assert.equal(exec.calls.length, 2);
});

test('a login that ends within a minute is asked for again, once for all who ask at the same time; so is one that failed', async () => {
  let expirationTimestamp = new Date(Date.now() + 30_000).toISOString();
  let exitCode = 1;
  const exec = fakeExec(() => ({ exitCode, stdout: JSON.stringify({ status: { token: 'p', expirationTimestamp } }) }));
  const login = loginOf({ exec: { apiVersion: 'v1', command: 'aws' } }, { exec });
  const both = () => Promise.all([login.identity(), login.identity()]);
  await assert.rejects(both());
  exitCode = 0;
  await both();
  expirationTimestamp = new Date(Date.now() + 3_600_000).toISOString();
  await both();
  await both();
  assert.equal(exec.calls.length, 3);
});

test('a plugin that gives no login says so in its own words, and other ways to log in are refused', async () => {
  let answer = { exitCode: 1, stderr: 'expired: log in again' };
  const exec = fakeExec(() => answer);
  const plugin = { apiVersion: 'v1', command: 'gke', installHint: 'Install gke.' };
  const kubeconfig = { clusters: [{ cluster: { server: 'https://x' } }], users: [{ user: { exec: plugin } }] };
  const api = connect(JSON.stringify(kubeconfig), new AbortController().signal, undefined, exec);
  const login = /gke, by which this context logs in, gave no login/;
  const { text } = await refusal(() => api.text('/readyz'));
  assert.match(text, new RegExp(`${login.source}: expired: log in again\nLog in again as gke demands`));
  answer = { exitCode: 127, stderr: 'sh: gke: not found' };
  assert.match((await refusal(() => api.text('/readyz'))).text, new RegExp(`${login.source}: .*\nInstall gke.`));
  for (const user of [{}, { token: 't', as: 'boss' }])
    assert.match((await refusal(() => loginOf(user))).text, /not known here/);
});

test('a plugin is told of the cluster where it asks for that, with what the kubeconfig has for it', async () => {
  const exec = fakeExec(() => ({ stdout: JSON.stringify({ status: { token: 'p' } }) }));
  const extension = { audience: 'ours' };
  const cluster = { server: 'https://x', 'certificate-authority-data': 'Yw==', 'tls-server-name': 'y' };
  const extensions = [{ name: 'client.authentication.k8s.io/exec', extension }];
  const apiVersion = 'client.authentication.k8s.io/v1';
  for (const provideClusterInfo of [true, false]) {
    const user = { exec: { apiVersion, command: 'aws', provideClusterInfo } };
    await loginOf(user, { exec, cluster: { ...cluster, extensions } }).identity();
  }
  const told = exec.calls.map(({ options }) => JSON.parse(options.env?.KUBERNETES_EXEC_INFO ?? ''));
  const kind = { apiVersion, kind: 'ExecCredential' };
  assert.deepEqual(told, [
    { ...kind, spec: { interactive: false, cluster: { ...cluster, config: extension } } },
    { ...kind, spec: { interactive: false } },
  ]);
});

test('an API server that is not checked, or behind a proxy, is not spoken to', async () => {
  for (const odd of [{ 'insecure-skip-tls-verify': true }, { 'proxy-url': 'http://p' }])
    await refusal(() => createConnection({ server: 'https://x', ...odd }, loginOf({ token: 't' })));
});

const own = ['/home/ann/.kube/config', '/home/ann/other'];

async function contextWith(answer: Parameters<typeof fakeExec>[0]) {
  const stateDir = join(await temporaryFolder(), 'state');
  const exec = fakeExec(answer);
  const config = { stateDir, userKubeconfigs: own };
  const toolbox = { find: async () => ({ path: 'kubectl' }) };
  const parts = { kubeContext: 'x', kubeconfig: join(stateDir, 'kubeconfig'), reconnect: () => {} };
  return { exec, context: fakeContext({ config, exec, toolbox, ...parts }) };
}

test('the login of the one context is copied, for its owner alone to read, and the person’s files are only viewed', async () => {
  const { exec, context } = await contextWith(() => ({ stdout: 'clusters: [{cluster: {server: "https://x"}}]\n' }));
  await copyUserContext(context);
  assert.deepEqual(exec.lines(), ['kubectl config view --minify --flatten --context x']);
  assert.equal(exec.calls[0]?.options.env?.KUBECONFIG, own.join(':'));
  assert.match(readFileSync(context.kubeconfig, 'utf8'), /https:\/\/x/);
  assert.equal(statSync(context.kubeconfig).mode & 0o777, 0o600);
});

test('paths of a login lead from its own kubeconfig, and a plugin needs no terminal', async () => {
  const folder = await temporaryFolder();
  const [first, second] = ['a', 'b'].map((name) => join(folder, name));
  const user = (login: string) => `users: [{name: "y", user: {${login}}}]\n`;
  for (const [file, login] of [
    [join(`${first}`, 'config'), '{}'],
    [join(`${second}`, 'config'), user('exec: {command: ./bin/login}')],
  ] as const) {
    mkdirSync(dirname(file));
    writeFileSync(file, login);
  }
  let login = '';
  const { context } = await contextWith(() => ({
    stdout: `clusters: [{cluster: {server: "https://x"}}]\n${user(login)}`,
  }));
  Object.assign(context.config, {
    userKubeconfigs: [first, '/nowhere', second].map((one) => join(`${one}`, 'config')),
  });
  for (const [given, kept] of [
    [
      'exec: {command: ./bin/login, interactiveMode: Always}',
      { command: `${second}/bin/login`, interactiveMode: 'IfAvailable' },
    ],
    ['exec: {command: ../login, interactiveMode: Never}', { command: `${folder}/login`, interactiveMode: 'Never' }],
    ['exec: {command: aws, interactiveMode: IfAvailable}', { command: 'aws', interactiveMode: 'IfAvailable' }],
    ['tokenFile: token', `${second}/token`],
    ['tokenFile: /token', '/token'],
  ] as const) {
    login = given;
    await copyUserContext(context);
    const [{ name, user: copied }] = parse(readFileSync(context.kubeconfig, 'utf8'), { version: '1.1' }).users;
    assert.deepEqual([name, copied.exec ?? copied.tokenFile], ['y', kept]);
  }
});

test('a login that was renewed since is read again; where the context is gone, the one of before stays', async () => {
  let said: Partial<Output> = {};
  const { context } = await contextWith(() => said);
  Object.assign(context, { api: () => ({ text: async () => assert.fail('not asked') }) });
  const kept: string[] = [];
  for (const token of ['old', 'new', undefined]) {
    const login = `clusters: [{cluster: {server: "https://x"}}]\nusers: [{user: {token: ${token}}}]\n`;
    said = token ? { stdout: login } : { exitCode: 1, stderr: 'error: cannot locate context x' };
    await existingCluster.presence(context).catch(() => {});
    kept.push(/token: (\w+)/.exec(readFileSync(context.kubeconfig, 'utf8'))?.[1] ?? '');
  }
  assert.deepEqual(kept, ['old', 'new', 'new']);
});

test('a context that is not there is refused with those that are', async () => {
  const { context } = await contextWith((line) =>
    line.includes('get-contexts') ? { stdout: 'a\nb\n' } : { exitCode: 1, stderr: 'error: cannot locate context x' },
  );
  const { error, text } = await refusal(() => copyUserContext(context));
  assert.equal(error.exitCode, ExitCode.usage);
  assert.match(text, /can't be taken from \/home\/ann\/\.kube\/config or \/home\/ann\/other\.\nThere are: a, b\./);
});

type Metadata = Omit<KubeObject['metadata'], 'name'>;
const at = (minute: number) => `2026-01-01T00:0${minute}:00Z`;
const ours = { managedFields: [{ manager: 'platform-ops', operation: 'Apply' }] };
const object = (kind: string, name: string, minute: number, more: Metadata = {}) => ({
  apiVersion: kind === 'CustomResourceDefinition' ? 'apiextensions.k8s.io/v1' : 'v1',
  kind,
  resource: `${kind.toLowerCase()}s`,
  metadata: { name, uid: `${kind} ${name} ${more.namespace}`, creationTimestamp: at(minute), ...more },
});

/** Somebody's cluster, in which the platform is since minute 2. */
const present = {
  mark: object('Namespace', 'platform-ops', 2, ours),
  space: object('Namespace', 'argocd', 2, ours),
  theirSpace: object('Namespace', 'traefik', 1),
  applied: object('ConfigMap', 'applied', 3, { namespace: 'default', ...ours }),
  made: object('Secret', 'made', 3, { namespace: 'argocd' }),
  deployed: object('Service', 'core-go', 3, {
    namespace: 'default',
    annotations: { 'argocd.argoproj.io/tracking-id': 'core-go:/Service:default/core-go' },
  }),
  theirs: object('ConfigMap', 'theirs', 3, { namespace: 'default' }),
  before: object('ConfigMap', 'before', 1, { namespace: 'default', ...ours }),
};

const cluster = fakeContext({
  target: 'x',
  config: { root, gitops: { repoUrl: repository.GITOPS_REPO_URL } },
  api: () => ({
    listMetadata: async (_: string, kind: string) => Object.values(present).filter((one) => one.kind === kind),
  }),
});

test('in a cluster of others, the platform’s is what it applied, deployed or put into its namespaces, since its mark', async () => {
  const { owns } = await territoryOf(cluster);
  const owned = Object.entries(present).flatMap(([name, one]) => (owns(one) ? [name] : []));
  assert.deepEqual(owned, ['space', 'applied', 'made', 'deployed']);
});

test('what was taken over is the platform’s since it was made, as the mark says, before which it was there', async () => {
  const annotations = { 'platform-ops/since': at(1) };
  const mark = { ...present.mark, metadata: { ...present.mark.metadata, annotations } };
  const lists = Object.values({ ...present, mark });
  const { owns } = await territoryOf({
    ...cluster,
    ...fakeContext({
      api: () => ({ listMetadata: async (_: string, kind: string) => lists.filter((one) => one.kind === kind) }),
    }),
  });
  assert(owns(present.before));
  assert(!owns(present.theirSpace) && !owns(present.theirs));
});

test('a pod whose Deployment is gone is the platform’s by the labels of its charts, since its mark', async () => {
  const { ranFor } = await territoryOf(cluster);
  const pod = (minute: number, instance: string, part = 'platform') =>
    object('Pod', 'p', minute, {
      labels: { 'app.kubernetes.io/instance': instance, 'app.kubernetes.io/part-of': part },
    });
  const pods = [pod(3, 'core-go'), pod(1, 'core-go'), pod(3, 'theirs'), pod(3, 'core-go', 'theirs')];
  assert.deepEqual([...pods, present.theirs].map(ranFor), [true, false, false, false, false]);
});

test('on a cluster of kind, too, up overwrites nothing that somebody made under a name of the platform', async () => {
  const theirs = { managedFields: [{ manager: 'kubectl-create', operation: 'Update' }] };
  const finished = Date.parse(at(1)) / 1000;
  const image = 'image: { repository: r, tag: abc }\n';
  const files = services.flatMap((service) => [
    [`helm/${service}/values.yaml`, image],
    [`helm/${service}/values-dev.yaml`, ''],
  ]);
  const git = committedFiles(Object.fromEntries(files));
  const docker = fakeExec(() => ({ stdout: `${finished}\n` }));
  const strangers = async (...objects: ReturnType<typeof object>[]) => {
    const context = fakeContext({
      config: { root, clusterName: 'c', parts: [], ingressController: 'nginx', ports: {}, environment: 'dev' },
      node: 'c-control-plane',
      exec: ((command, options) => (command[0] === 'docker' ? docker : git)(command, options)) as Exec,
      checkout: async () => ({ top: root, prefix: '', head: '0123456' }),
      api: () => ({
        listMetadata: async (apiVersion: string, kind: string) =>
          objects.filter((one) => one.kind === kind).map((one) => ({ ...one, apiVersion })),
      }),
    });
    return assertNoForeignObjects(context, [grafana]);
  };
  await strangers(
    object('Namespace', 'observability', 2, ours),
    object('Service', 'mine', 2, { namespace: 'default' }),
  );
  await strangers(object('Namespace', 'observability', 1, theirs));
  // An earlier `up` applied a namespace without a field, of which the API server keeps no manager.
  await strangers(object('Namespace', 'observability', 2));
  const { error, text } = await refusal(() => strangers(object('Namespace', 'observability', 2, theirs)));
  assert.equal(error.exitCode, 2);
  assert.match(text, /cluster c .*not its own: Namespace observability\..*\n.*Delete or rename/);
  const service = object('Service', 'core-go', 2, { namespace: 'default', ...theirs });
  assert.match((await refusal(() => strangers(service))).text, /Service default\/core-go/);
});

test('a name that a component knows makes nothing the platform’s there', async () => {
  const territory = await territoryOf(cluster);
  const claims = [{ name: 'traefik', owns: () => true }];
  const owner = (one: KubeObject, asked = claims) => ownerOf(one, { territory, claims: asked, finished: undefined });
  assert.deepEqual(owner(present.theirSpace), { of: 'kubernetes' });
  assert.deepEqual(owner(present.theirs), { of: 'kubernetes' });
  assert.deepEqual(owner(present.before), { of: 'kubernetes' });
  assert.deepEqual(owner(present.applied), { of: 'component', name: 'traefik' });
  assert.deepEqual(owner(present.made, []), { of: 'person' });
});

test('the other ingress controller is not removed where it is somebody’s, and nothing is asked of kubectl', async () => {
  const config = { root, ports: { http: 8080, https: 8443 }, gitops: { repoUrl: repository.GITOPS_REPO_URL } };
  const kubectl = () => assert.fail('kubectl was asked for');
  assert.deepEqual(await removeOtherController({ ...cluster, ...fakeContext({ config, kubectl }) }, 'nginx'), []);
});

for (const [controller, flag] of [
  ['nginx', '--publish-service=$(POD_NAMESPACE)/ingress-nginx-controller'],
  ['traefik', '--providers.kubernetesIngressNGINX.publishService=traefik/traefik'],
] as const) {
  test(`${controller} takes no port of a node that is not ours, and has a Service that nobody outside reaches`, async () => {
    const config = { root, ports: { http: 8080, https: 9443 } };
    const all = await controllerObjects(controller)(fakeContext({ config, target: 'x' }));
    const text = JSON.stringify(all.map((one) => ({ ...one, spec: one.spec })));
    assert(!text.includes('hostPort') && !/=localhost/.test(text) && text.includes(flag), text);
    const { service } = controllerService(controller);
    const front = all.find(({ kind, metadata }) => kind === 'Service' && metadata.name === service);
    assert.deepEqual(Object.keys(front?.spec ?? {}), ['selector', 'ports']);
    const onKind = await controllerObjects(controller)(fakeContext({ config }));
    assert.deepEqual(onKind.map(identityOf), all.map(identityOf));
  });
}
