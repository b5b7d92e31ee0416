import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { retryPullsOfPresent } from '../../scripts/components/pull-secret.ts';
import { bringImages, serviceImages } from '../../scripts/components/service-images.ts';
import { prepareSync } from '../../scripts/delivery/sync/commit-tracker.ts';
import { type Account, dockerConfig, passwordIn } from '../../scripts/images/credentials/credentials.ts';
import type { Verdict } from '../../scripts/images/credentials/token-check.ts';
import { buildStubs } from '../../scripts/images/stubs.ts';
import { ApiError } from '../../scripts/kubernetes/api/api.ts';
import type { KubeObject } from '../../scripts/kubernetes/objects.ts';
import { waitForReady } from '../../scripts/kubernetes/waiting/ready.ts';
import { readCheckout } from '../../scripts/lib/git/checkout.ts';
import { Secret } from '../../scripts/lib/secret.ts';
import { fakeContext, fakeExec, temporaryFolder } from '../support/fakes.ts';
import { commit, createRepository, gitExec } from '../support/repository.ts';

const image = 'ghcr.io/ann/core-go:abc';
const folder = await temporaryFolder();
const root = createRepository(join(folder, 'checkout'));
const application = {
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'Application',
  metadata: { name: 'core-go', namespace: 'argocd' },
  spec: { source: { path: 'helm/core-go', helm: { valueFiles: ['values.yaml'] } } },
};
commit(root, 'Start', {
  'argocd/core-go.yaml': JSON.stringify(application),
  'helm/core-go/values.yaml': 'image: { repository: ghcr.io/ann/core-go, tag: abc }\n',
  'cluster/argocd/default-project.yaml': 'apiVersion: a/v1\nkind: AppProject\nmetadata: { name: default }\n',
  'standins/Dockerfile': 'FROM x\n',
  'standins/metrics.mjs': '\n',
  'standins/server.mjs': '\n',
});
const accountWith = (token: string): Account => ({
  token: new Secret(token),
  username: 'ann',
  owner: undefined,
  source: '.env',
  title: 'GITHUB_TOKEN in .env',
  checked: true,
});

const pullSecretName = { name: 'ghcr-cred', namespace: 'default' };
const applied = [{ manager: 'platform-ops', operation: 'Apply' }];

interface Parts {
  token?: string;
  /** The token in the cluster's pull secret. */
  held?: string;
  /** The token in the pull secret that somebody made by kubectl. */
  theirs?: string;
  /** What GHCR says about that token. */
  verdict?: Verdict;
  /** The pull secrets that somebody gave the default ServiceAccount. */
  theirAccount?: string[];
  /** What the node has under the image's name. */
  node?: 'real' | 'stand-in';
  /** Why the pod waits. */
  waiting?: string;
  /** When the pod was made, as ISO 8601. */
  made?: string;
}

/** A cluster of one service, and everything that is done to it. */
function fakeCluster({
  token,
  held,
  theirs,
  verdict,
  theirAccount = [],
  node,
  waiting,
  made = '2026-01-02T03:04:05Z',
}: Parts) {
  const done: string[] = [];
  const given: KubeObject[] = [];
  const first = held ?? theirs;
  let secret = first === undefined ? undefined : dockerConfig(accountWith(first));
  const present = new Map<string, string>();
  if (node) present.set(image, node);
  if (node === 'stand-in') present.set('docker.io/platform-ops/stand-in-core-go:old', node);
  const owned = (uid: string, owner: string) => ({ uid, ownerReferences: [{ kind: 'x', name: owner, uid: owner }] });
  const podOf = (metadata: object) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'default', creationTimestamp: made, ...metadata },
    spec: { containers: [{ name: 'core-go', image }] },
    status: {
      containerStatuses: [
        { name: 'core-go', state: { waiting: waiting === undefined ? undefined : { reason: waiting } } },
      ],
    },
  });
  // One of the service, one of a Deployment that somebody made, and one that somebody started by itself.
  const pods = [
    podOf({ name: 'core-go-1', ...owned('p1', 'core-go-rs') }),
    podOf({ name: 'mine-1', ...owned('p2', 'mine-rs'), labels: { 'app.kubernetes.io/part-of': 'platform' } }),
    podOf({ name: 'mine', uid: 'p3' }),
  ];
  const workload = (kind: string, name: string, metadata: object) => ({
    apiVersion: 'apps/v1',
    kind,
    metadata: { name, namespace: 'default', ...metadata },
  });
  const annotations = { 'argocd.argoproj.io/tracking-id': 'core-go:apps/Deployment:default/core-go' };
  const objects: Record<string, () => object[]> = {
    Pod: () => pods,
    Deployment: () => [
      workload('Deployment', 'core-go', { uid: 'core-go', annotations }),
      workload('Deployment', 'mine', { uid: 'mine' }),
    ],
    ReplicaSet: () => [
      workload('ReplicaSet', 'core-go-rs', owned('core-go-rs', 'core-go')),
      workload('ReplicaSet', 'mine-rs', owned('mine-rs', 'mine')),
    ],
    Secret: () => {
      const metadata = { ...pullSecretName, managedFields: theirs === undefined ? applied : [] };
      return secret === undefined ? [] : [{ apiVersion: 'v1', kind: 'Secret', metadata }];
    },
  };
  const docker = fakeExec((line) => {
    if (line.includes('images remove')) {
      done.push('remove images');
      present.clear();
    }
    return {};
  });
  const context = fakeContext({
    config: {
      ...{ root, environment: 'dev', clusterName: 'c', stateDir: join(folder, 'state') },
      ports: { http: 8080, https: 8443 },
    },
    node: 'node',
    signal: new AbortController().signal,
    exec: (command: [string, ...string[]], options: object) =>
      command[0] === 'git' ? gitExec(command, options) : docker(command, options),
    checkout: () => readCheckout(gitExec, root),
    credentials: {
      account: async () => (token === undefined ? undefined : accountWith(token)),
      check: async (asked: Secret) => {
        assert.equal(asked.reveal(), theirs);
        return verdict;
      },
    },
    images: {
      inNode: async () => present,
      forget: () => {},
      pull: async () => {},
      importAs: async (names: Map<string, string>) => {
        done.push('import stand-ins');
        for (const [target, source] of names) {
          present.set(target, 'stand-in');
          present.set(`docker.io/${source}`, 'stand-in');
        }
      },
    },
    api: () => ({
      json: async (path: string) => {
        if (path.endsWith('/serviceaccounts/default'))
          return { metadata: { name: 'default' }, imagePullSecrets: theirAccount.map((name) => ({ name })) };
        if (secret === undefined) throw new ApiError(path, 404, '');
        return { data: { '.dockerconfigjson': secret } };
      },
      list: async (_: string, kind: string) => (kind === 'Application' ? [application] : pods),
      listMetadata: async (_: string, kind: string) => objects[kind]?.() ?? [],
    }),
    kubectl: async () => ({
      apply: async (objects: KubeObject[]) => {
        given.push(...objects);
        const content = objects.find(({ kind }) => kind === 'Secret')?.data as Record<string, string> | undefined;
        const changed = content !== undefined && content['.dockerconfigjson'] !== secret;
        if (content) secret = content['.dockerconfigjson'];
        return changed ? ['Secret default/ghcr-cred'] : [];
      },
      run: async (args: string[]) => {
        done.push([...args.slice(0, 2), ...(args[1] === 'pods' ? args.slice(6) : [])].join(' '));
        if (args[1] === 'secret') secret = undefined;
      },
    }),
  });
  return { context, done, applied: given, present, pods, secretNow: () => secret };
}

const refused = { state: 'refused', owner: undefined, message: 'Not known.' } as unknown as Verdict;
const works = { state: 'works', owner: undefined } as const;
const [secret, pod, stub] = ['Secret default/ghcr-cred', 'Pod default/core-go-1 (made anew)', `stand-in for ${image}`];
const restarted = 'delete pods core-go-1';
const [ours, theirs] = ['ghp_one', 'ghp_theirs'];

/** What is done by `apply`, what it says that it changed, and the kinds that it applied. */
type Expected = { done: string[]; changed: string[]; kinds?: string[] };
const [nothing, account] = [{ done: [], changed: [] }, ['Secret', 'ServiceAccount']];
const scenes: [what: string, parts: Parts, before: RegExp, expected: Expected, after: RegExp][] = [
  [
    'without a token and with nothing in the node, a stand-in is put there, and no secret is made',
    {},
    /absent.*nor a stand-in/,
    { done: ['import stand-ins'], changed: [stub] },
    /ready.*all stand-ins.*no token/,
  ],
  [
    'what the node has without a token and a secret stays: somebody put it there',
    { node: 'real' },
    /ready/,
    nothing,
    /ready/,
  ],
  [
    'with a token, the secret is made, and the stand-in gives way with its pods',
    { token: ours, node: 'stand-in' },
    /absent.*ghcr-cred is missing/,
    { done: ['remove images', restarted], changed: [secret, `${stub} (removed)`, pod], kinds: account },
    /from ghcr\.io, as ann/,
  ],
  [
    'another token takes the place of the first, and nothing else is touched',
    { token: 'ghp_two', held: ours, node: 'real' },
    /absent.*holds another token/,
    { done: [], changed: [secret], kinds: account },
    /ready/,
  ],
  ...['ImagePullBackOff', 'ErrImagePull'].map((waiting): (typeof scenes)[number] => [
    `a pod that waits with ${waiting} is recreated at once`,
    { token: 'ghp_two', held: ours, waiting },
    /absent/,
    { done: [restarted], changed: [secret, pod], kinds: account },
    /ready/,
  ]),
  [
    'a pod that waits for anything else is left alone',
    { token: ours, held: ours, node: 'real', waiting: 'ContainerCreating' },
    /ready/,
    { ...nothing, kinds: account },
    /ready/,
  ],
  [
    'when the token is gone, stand-ins take the place of what it pulled, and the secret is removed last',
    { held: ours, node: 'real' },
    /unready.*no token any more/,
    {
      done: ['import stand-ins', restarted, 'delete secret'],
      changed: [stub, pod, `${secret} (removed)`],
      kinds: ['ServiceAccount'],
    },
    /ready/,
  ],
  [
    'pull secrets that somebody gave the ServiceAccount stay',
    { token: ours, node: 'real', theirAccount: ['mine'] },
    /absent/,
    { done: [], changed: [secret], kinds: ['Secret'] },
    /ready/,
  ],
  ...[undefined, ours].map((token): (typeof scenes)[number] => [
    `a pull secret that somebody made is used and kept, with ${token ?? 'no token'} of ours`,
    { theirs, verdict: works, node: 'stand-in', ...(token && { token }) },
    /ready/,
    { done: ['remove images', restarted], changed: [`${stub} (removed)`, pod] },
    /ready.*ghcr-cred, which the platform did not create/,
  ]),
  [
    'where that can not pull, it is kept, and stand-ins are used',
    { theirs, verdict: refused, token: ours },
    /ready/,
    { done: ['import stand-ins'], changed: [stub] },
    /ready/,
  ],
];
for (const [what, parts, before, { done, changed, kinds = [] }, after] of scenes) {
  test(what, async () => {
    const scene = fakeCluster(parts);
    const held = scene.secretNow();
    assert.match(JSON.stringify(await serviceImages.status(scene.context)), before);
    const outcome = await serviceImages.apply(scene.context);
    const applied = scene.applied.map(({ kind }) => kind);
    assert.deepEqual([scene.done, outcome.changed, applied], [done, changed, kinds]);
    assert.match(JSON.stringify(await serviceImages.status(scene.context)), after);
    if (!parts.waiting) assert.deepEqual((await serviceImages.apply(scene.context)).changed, []);
    if (!parts.theirs) return;
    assert.deepEqual(await serviceImages.remove?.(scene.context, []), []);
    assert.equal(scene.secretNow(), held);
    // Told once more at each run, with the reason and without the token.
    const notes = `${outcome.notes}`;
    if (parts.verdict === works) assert.equal(notes, '');
    else
      assert.match(notes, /ghcr-cred can't pull the services' images: Not known\. (?!.*ghp_).*kubectl delete secret/);
  });
}

test('the ServiceAccount names the secret while there is one', async () => {
  for (const [parts, names] of [
    [{ token: ours }, ['ghcr-cred']],
    [{ held: ours }, []],
  ] as const) {
    const { context, applied } = fakeCluster({ ...parts, node: 'real' });
    await serviceImages.apply(context);
    assert.deepEqual(
      applied.at(-1)?.imagePullSecrets,
      names.map((name) => ({ name })),
    );
  }
});

test('on a cluster of others a token becomes the secret, and nothing is put into its nodes', async () => {
  for (const [parts, state, changed] of [
    [{ token: ours }, 'absent', [secret]],
    [{ held: ours }, 'unready', [`${secret} (removed)`]],
    [{}, 'ready', []],
    [{ theirs, verdict: refused }, 'ready', []],
  ] as const) {
    const scene = fakeCluster(parts);
    const context = { ...scene.context, target: 'prod' };
    assert.equal((await serviceImages.status(context)).state, state);
    assert.deepEqual((await serviceImages.apply(context)).changed, changed);
    assert.equal((await serviceImages.status(context)).state, 'ready');
    assert(!scene.done.includes('import stand-ins'));
  }
});

test('the secret is what docker login would write, of the type that the kubelet reads', async () => {
  const { context, applied } = fakeCluster({ token: 'ghp_one', node: 'real' });
  await serviceImages.apply(context);
  const [secret] = applied;
  assert.equal(secret?.type, 'kubernetes.io/dockerconfigjson');
  const data = secret?.data as Record<string, string>;
  const config = parse(Buffer.from(data['.dockerconfigjson'] ?? '', 'base64').toString('utf8'));
  assert.deepEqual(config, { auths: { 'ghcr.io': { auth: Buffer.from('ann:ghp_one').toString('base64') } } });
});

test('a pod that waits for an image which came meanwhile is recreated; one made after that, or without it, is not', async () => {
  const { context, done, present, pods } = fakeCluster({ waiting: 'ImagePullBackOff' });
  await retryPullsOfPresent(context);
  assert.deepEqual(done, [], 'nothing is on its way: the failure is one');
  present.set(image, 'stand-in');
  await retryPullsOfPresent(context);
  assert.deepEqual(done, ['delete pods core-go-1']);
  for (const { metadata } of pods) metadata.creationTimestamp = new Date(Date.now() + 5000).toISOString();
  await retryPullsOfPresent(context);
  assert.deepEqual(done, ['delete pods core-go-1'], 'it would be recreated for ever');
  const elsewhere = fakeCluster({ waiting: 'ErrImagePull', node: 'real' });
  await retryPullsOfPresent({ ...elsewhere.context, target: 'prod' as never });
  assert.deepEqual(elsewhere.done, []);
});

test('while pods are waited for, those of a commit that nobody covered get their image, and are recreated', async () => {
  const { context, done, pods } = fakeCluster({ waiting: 'ErrImagePull' });
  let looks = 0;
  const workload = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'core-go', namespace: 'default' } };
  const waiting = { ...context, timeout: 10_000, view: () => ({ podsOf: async () => pods.slice(0, 1) }) as never };
  const look = async () => (looks++ < 2 ? '0 of 1 pods ready' : undefined);
  await waitForReady(waiting, { objects: () => [workload], look, bringImages: () => bringImages(waiting) });
  assert.deepEqual(done.slice(0, 2), ['import stand-ins', 'delete pods core-go-1']);
});

test('a commit gets its images before Argo CD is asked to look at it', async () => {
  const { context, done } = fakeCluster({});
  await prepareSync(context, { commit: 'c0ffee', wanted: undefined, lockTimeoutSeconds: 0, note: () => {} });
  assert.deepEqual(done, ['import stand-ins', 'annotate applications.argoproj.io']);
});

test('reset knows the pull secret that up applied, and none that somebody made', async () => {
  const { context } = fakeCluster({});
  const owns = await serviceImages.owns?.(context);
  const secretBy = (managedFields: object[]) =>
    ({ apiVersion: 'v1', kind: 'Secret', metadata: { ...pullSecretName, managedFields } }) as KubeObject;
  assert.deepEqual([owns?.(secretBy(applied)), owns?.(secretBy([]))], [true, false]);
});

test('the password of a pull secret is read as kubectl, docker login and the platform write it', () => {
  const content = (auths: object) => Buffer.from(JSON.stringify({ auths })).toString('base64');
  const auth = Buffer.from('ann:a:b').toString('base64');
  for (const auths of [
    { 'ghcr.io': { username: 'ann', password: 'a:b', auth } },
    { 'docker.io': { auth: 'eA==' }, 'https://ghcr.io': { auth } },
  ])
    assert.equal(passwordIn(content(auths))?.reveal(), 'a:b');
  for (const none of [content({ 'docker.io': { auth } }), content({ 'ghcr.io': {} }), 'bm90IEpTT04='])
    assert.equal(passwordIn(none), undefined);
});

test('with a token, nothing is built ahead', async () => {
  const { context } = fakeCluster({ token: 'ghp_one' });
  context.images.pull = async () => assert.fail('built');
  await serviceImages.prefetch?.(context);
});

test('stubs are built where the images of this machine are, which Docker is asked once', async () => {
  const exec = fakeExec((line) =>
    line.startsWith('docker context') ? { stdout: 'colima\n' } : { exitCode: line.includes('image inspect') ? 1 : 0 },
  );
  const context = fakeContext({ exec, config: { root }, images: { pull: async () => {} } });
  await buildStubs(context, new Map(['a', 'b', 'c'].map((name) => [name, `ghcr.io/ann/${name}:abc`])));
  const calls = (start: string) => exec.calls.filter(({ command }) => command.join(' ').startsWith(start));
  assert.equal(calls('docker context show').length, 1);
  assert.deepEqual(
    calls('docker build').map(({ options }) => options.env),
    Array(3).fill({ BUILDX_BUILDER: 'colima' }),
  );
});
