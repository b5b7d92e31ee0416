import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { cluster } from '../../scripts/cluster/cluster.ts';
import { assertPorts, assertSeesCommits, ownContainer } from '../../scripts/cluster/node.ts';
import { Unreachable, WrongClock } from '../../scripts/kubernetes/api/api.ts';
import { ExitCode, Interrupted } from '../../scripts/lib/errors.ts';
import { CommandError, type Exec, type Output } from '../../scripts/lib/exec.ts';
import { readNetwork } from '../../scripts/lib/http/proxy.ts';
import { fakeContext, fakeExec, refusal, temporaryFolder } from '../support/fakes.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const stateDir = await temporaryFolder();
const ours = join(await temporaryFolder(), '.git');
mkdirSync(join(ours, 'objects'), { recursive: true });

interface Node {
  mounted?: string;
  /** Whether it sees the whole folder, as of an earlier version. */
  whole?: boolean;
  http?: number;
  state?: string;
  image?: string;
}

/** What `docker container inspect` prints about the node; nothing without one. */
function inspect(node: Node | undefined) {
  if (!node) return { exitCode: 1, stderr: 'Error response from daemon: No such container: x-control-plane' };
  const { mounted, whole, http = 8080, state = 'running', image = 'kindest/node:v1.36.4@sha256:0' } = node;
  const PortBindings = { '80/tcp': [{ HostPort: `${http}` }], '443/tcp': [{ HostPort: '8443' }] };
  const seen = whole ? `${mounted}:/platform-ops/git:ro` : `${mounted}/objects:/platform-ops/git/objects:ro`;
  const Binds = ['/lib/modules:/lib/modules:ro', ...(mounted ? [seen] : [])];
  const State = { Status: state, StartedAt: '2026-03-01T12:00:00Z' };
  const found = { State, Config: { Image: image, Labels: {} }, HostConfig: { Binds, PortBindings } };
  return { stdout: JSON.stringify([found]) };
}

function contextWith(node: Node | undefined, parts: { exec?: Exec; api?: () => unknown; signal?: AbortSignal } = {}) {
  return fakeContext({
    config: {
      ...{ clusterName: 'x', stateDir, ports: { http: 8080, https: 8443 }, nodeImage: 'kindest/node:v1.36.4' },
      network: { direct: '' },
    },
    node: 'x-control-plane',
    kubeconfig: `${stateDir}/kubeconfig`,
    signal: new AbortController().signal,
    toolbox: { find: async () => ({ path: 'kind' }) },
    checkout: async () => ({ commonDir: ours, borrows: [] }),
    unpacked: { offer: async () => undefined },
    view: () => ({ missing: async () => undefined }),
    api: () => ({
      text: async () => 'ok',
      json: async () => ({ spec: { renewTime: '2026-03-01T12:00:05.000000Z' } }),
      list: async () => [],
    }),
    reconnect: () => {},
    exec: fakeExec((line) => (line.startsWith('docker container inspect') ? inspect(node) : { stdout: 'kubeconfig' })),
    ...parts,
  });
}

test('the state of the cluster is that of the node container that mounts this checkout’s Git folder', async () => {
  const stateOf = async (node?: Node) => (await cluster.status(contextWith(node))).state;
  assert.equal(await stateOf(), 'absent');
  assert.equal(await stateOf({ mounted: ours, state: 'exited' }), 'unready');
  const status = await cluster.status(contextWith({ mounted: ours }));
  assert.deepEqual(status, { state: 'ready', detail: 'x, kindest/node:v1.36.4' });
});

const foreign: [string, Node, RegExp][] = [
  ['of another checkout', { mounted: '/home/bob/ops/.git' }, /\/home\/bob\/ops/],
  ['of a checkout beside ours', { mounted: `${ours}2` }, /ours.*2|another/],
  ['that somebody made with kind by hand', {}, /was not made by platform-ops/],
];
for (const [whose, node, owner] of foreign) {
  test(`a cluster ${whose} is refused by status and apply, and nothing is done to it`, async () => {
    const context = contextWith(node);
    for (const work of [cluster.status, cluster.apply]) {
      const { error } = await refusal(() => work(context));
      assert.deepEqual([error.id, error.exitCode], ['cluster-of-another', ExitCode.usage]);
      assert.match(error.message, owner);
    }
    const { exec } = context as unknown as { exec: ReturnType<typeof fakeExec> };
    assert(exec.lines().every((line) => line.startsWith('docker container inspect')));
  });
}

test('a cluster of this checkout, which was moved since, is ours while no repository is at the old place', async () => {
  const parent = await temporaryFolder();
  const [moved, old] = ['moved', 'old'].map((name) => join(parent, name, '.git')) as [string, string];
  for (const made of [join(moved, 'platform-ops', 'x'), join(old, 'objects')]) mkdirSync(made, { recursive: true });
  const checkout = async () => ({ commonDir: moved, borrows: [] });
  const context = { ...contextWith({ mounted: old }), checkout } as unknown as ReturnType<typeof contextWith>;
  const refusedAs = async (work: () => Promise<unknown>) => (await refusal(work)).error.id;
  assert.equal(await refusedAs(() => cluster.status(context)), 'cluster-of-another', 'nothing of it came along');
  writeFileSync(join(moved, 'platform-ops', 'x', 'config'), '');
  assert.equal((await cluster.status(context)).state, 'ready');
  const container = (await ownContainer(context)) ?? assert.fail('no container');
  assert.equal(await refusedAs(() => assertSeesCommits(context, container)), 'checkout-moved');
  writeFileSync(join(old, 'HEAD'), 'ref: refs/heads/main');
  assert.equal(await refusedAs(() => cluster.status(context)), 'cluster-of-another', 'it is a copy');
});

test('other ports than the settings ask for are refused with both', async () => {
  const container = async (http: number) =>
    (await ownContainer(contextWith({ mounted: ours, http }))) ?? assert.fail('no container');
  assertPorts(contextWith(undefined), await container(8080));
  const other = await container(9080);
  const { error } = await refusal(() => assertPorts(contextWith(undefined), other));
  assert.equal(error.id, 'cluster-ports');
  assert.match(error.message, /9080 and 8443, .* 8080 and 8443/);
});

test('a stopped node is started by apply', async () => {
  const { changed } = await cluster.apply(contextWith({ mounted: ours, state: 'exited' }));
  assert.deepEqual(changed, ['node container x-control-plane (started)']);
});

test('a running cluster stays untouched, and an image of other settings is only told', async () => {
  const same = await cluster.apply(contextWith({ mounted: ours }));
  assert.deepEqual([same.changed, same.notes], [[], []]);
  const older = await cluster.apply(contextWith({ mounted: ours, image: 'kindest/node:v1.35.0' }));
  assert.deepEqual(older.changed, []);
  const earlier = await cluster.apply(contextWith({ mounted: ours, whole: true }));
  assert.match(earlier.notes?.join() ?? '', /sees the whole Git folder.*npm run down && npm run up/);
  const proxied = contextWith({ mounted: ours });
  const network = readNetwork({ HTTPS_PROXY: 'http://ann:canary@proxy.example' });
  const { notes } = await cluster.apply({ ...proxied, config: { ...proxied.config, network } });
  assert.match(
    notes?.join() ?? '',
    /^The node reaches registries as HTTPS_PROXY .* npm run down && npm run up changes it\.$/,
  );
  assert.match(older.notes?.[0] ?? '', /runs kindest\/node:v1\.35\.0, the settings ask for kindest\/node:v1\.36\.4/);
});

test('an interruption while the API is waited for does not delete the cluster', async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const started: string[] = [];
  // As the real one: after the signal nothing starts any more.
  const exec: Exec = async (command) => {
    if (signal.aborted) throw new Interrupted();
    started.push(command.join(' '));
    return { stderr: '', exitCode: 0, stdout: '', ...(command.includes('inspect') && inspect({ mounted: ours })) };
  };
  const text = async () => {
    controller.abort();
    throw new Interrupted();
  };
  await assert.rejects(cluster.apply(contextWith(undefined, { exec, signal, api: () => ({ text }) })), Interrupted);
  assert.deepEqual(
    started.filter((line) => line.includes('delete')),
    [],
  );
});

/** A Docker that remembers what was removed and made; `finished` is what the node says of its mark. */
function remembering(node: Node, finished: { exitCode: number; stderr?: string; stdout?: string }) {
  let there = true;
  return fakeExec((line) => {
    if (line.startsWith('docker rm')) there = false;
    if (line.startsWith('docker container inspect')) return inspect(there ? node : undefined);
    return / stat /.test(line) ? finished : undefined;
  });
}
const nothingToSee = { images: { pull: () => Promise.reject(new Error('made anew')) }, timeout: 1000 };

for (const state of ['created', 'dead', 'removing']) {
  test(`a node that is ${state} never came to life: it is made anew, and nothing in it is asked`, async () => {
    const exec = remembering({ mounted: ours, state }, { exitCode: 0, stdout: '1' });
    const context = Object.assign(contextWith({ mounted: ours, state }, { exec }), nothingToSee, {
      config: { ...contextWith(undefined).config, root },
    });
    await assert.rejects(cluster.apply(context), /made anew/);
    assert(exec.lines().includes('docker rm --force --volumes x-control-plane x-git'));
    assert(!exec.lines().some((line) => line.startsWith('docker start')));
  });
}

test('a node that does not answer is not taken for a half one, and stays', async () => {
  const stderr = 'OCI runtime exec failed: exec failed: no space left on device';
  const exec = remembering({ mounted: ours }, { exitCode: 126, stderr });
  const { text } = await refusal(() => cluster.apply(contextWith({ mounted: ours }, { exec })));
  assert.match(text, /can't be asked whether it is finished: .*no space left on device\ndocker logs/);
  assert(!exec.lines().some((line) => line.startsWith('docker rm')));
});

/** A cluster whose API server can't be asked, for that reason. */
const unanswered = (error: Error, timeout: number) =>
  Object.assign(contextWith({ mounted: ours }, { api: () => ({ text: () => Promise.reject(error) }) }), { timeout });

test('an API server that does not answer is told with its cause', async () => {
  const refused = new Unreachable('the API server at https://127.0.0.1:1 does not answer: connect ECONNREFUSED');
  const { text } = await refusal(() => cluster.apply(unanswered(refused, 10)));
  assert.match(text, /API server of x does not answer \(connect ECONNREFUSED\)\.\ndocker logs x-control-plane/);
});

test('a clock that is wrong is not waited on: it is told at once, with its remedy', async () => {
  const context = unanswered(new WrongClock('https://127.0.0.1:1', 'CERT_NOT_YET_VALID'), 600_000);
  const { text } = await refusal(() => cluster.apply(context));
  assert.match(
    text,
    /not valid yet, by the clock of this machine, which says \d{4}-.*Z\nIf that is not the time, set the clock/,
  );
  const status = await cluster.status(context);
  assert(status.state === 'unready' && status.hint?.includes('set the clock'));
});

const gone = 'Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?';
const kindFails: [string, Partial<Output>, number | undefined, RegExp][] = [
  ['was not done in time', {}, 90_000, /could not create the cluster x: it was not done after 90 s\.\n.*--timeout/],
  [
    'found a full disk',
    { stderr: 'ERROR: no space left on device' },
    undefined,
    /no space left on .*\nThe disk is full/,
  ],
  [
    'ran kubeadm, which failed,',
    {
      stderr: `ERROR: failed to create cluster: failed to init node with kubeadm: command "x" failed with error: exit status 1
Command Output: I1129 21:33:00.1 10 initconfiguration.go:1] loading
[init] Using Kubernetes version: v1.36.4
I1129 21:33:09.1 10 uploadconfig.go:112] [upload-config] Uploading the kubeadm ClusterConfiguration to a ConfigMap

etcdserver: request timed out
error creating or updating ConfigMap
k8s.io/kubernetes/cmd/kubeadm/app/phases/uploadconfig.UploadConfiguration
	cmd/kubeadm/app/phases/uploadconfig/uploadconfig.go:69
`,
    },
    undefined,
    /with error: exit status 1: etcdserver: request timed out\nnpm run doctor/,
  ],
  ['was left alone by Docker', { stderr: gone }, undefined, /^Docker does not answer any more\.\nStart it again/],
];
for (const [what, output, timeout, says] of kindFails) {
  test(`a kind that ${what} says so`, async () => {
    const exec: Exec = async (command, options) => {
      if (!command.includes('create')) return contextWith(undefined).exec(command, options);
      assert(!command.includes('--quiet'), 'kind would not say why');
      throw new CommandError(command, { stdout: '', stderr: '', exitCode: 1, ...output }, timeout);
    };
    const context = contextWith(undefined, { exec });
    const parts = { images: { pull: async () => {} }, config: { ...context.config, root } };
    assert.match((await refusal(() => cluster.apply(Object.assign(context, parts)))).text, says);
  });
}

const offered = '/home/ann/.cache/platform-ops/nodes/1';

/** Creates a cluster to which unpacked images are offered, by a kind that answers each time as told. */
async function createWith(
  kindSays: (Partial<Output> | undefined)[],
  stand = 'whole',
  kept: string | undefined = offered,
) {
  const kinds: string[] = [];
  const discarded: string[] = [];
  const base = contextWith(undefined);
  const exec: Exec = async (command, options) => {
    if (!command.includes('create')) {
      const asked = command.includes('await');
      return asked ? { stdout: `${stand}\n`, stderr: '', exitCode: 0 } : base.exec(command, options);
    }
    const output = kindSays[kinds.length];
    kinds.push(`${options?.input}`);
    if (output) throw new CommandError(command, { stdout: '', stderr: '', exitCode: 1, ...output });
    return { stdout: '', stderr: '', exitCode: 0 };
  };
  const daemon = { metadata: { name: 'd', namespace: 'kube-system', generation: 1 }, spec: {}, kind: 'DaemonSet' };
  const status = { observedGeneration: 1, desiredNumberScheduled: 1, updatedNumberScheduled: 1, numberReady: 1 };
  const context = Object.assign(contextWith(undefined, { exec }), {
    timeout: 5000,
    images: { pull: async () => {} },
    config: { ...base.config, root },
    unpacked: { offer: async () => kept || undefined, discard: async (image: string) => void discarded.push(image) },
    view: () => ({
      list: async () => [{ ...daemon, status: { ...status, numberAvailable: 1 } }],
      podsOf: async () => [],
    }),
  });
  const outcome = await cluster.apply(context);
  return { kinds, discarded, outcome };
}

test('a new node is given the unpacked images, read-only, where its containerd looks before it starts', async () => {
  const { kinds, discarded, outcome } = await createWith([undefined]);
  const mount = /hostPath: \/home\/ann\/.cache\/platform-ops\/nodes\/1\n.*containerd.service.d\n +readOnly: true/;
  assert.match(kinds[0] ?? '', mount);
  assert.deepEqual([discarded, outcome.notes], [[], []]);
});

const noBoot = { stderr: 'ERROR: could not find a log line that matches' };
const kubeadm = { stderr: 'ERROR: failed to create cluster: failed to init node with kubeadm: exit status 1' };
const attempts: [string, Parameters<typeof createWith>, discarded: number, kinds: number][] = [
  ['a node that does not boot with them is made without', [[noBoot, undefined]], 1, 2],
  [
    'a node that has only some of them is made without: its containerd counts on all',
    [[undefined, undefined], 'unpacking'],
    1,
    2,
  ],
  ['images that the node could not read are thrown away', [[undefined], 'nothing'], 1, 1],
  ['where kubeadm fails without them, the node is created once more', [[kubeadm, undefined], 'whole', ''], 0, 2],
];
for (const [what, given, thrown, made] of attempts) {
  test(`of the unpacked images: ${what}, and that is said`, async () => {
    const { kinds, discarded, outcome } = await createWith(...given);
    assert.deepEqual([discarded.length, kinds.length, outcome.notes?.length], [thrown, made, 1]);
    if (made === 2) assert.doesNotMatch(kinds[1] ?? '', /containerd.service.d/);
  });
}

test('a node is created twice at most', async () => {
  const { error } = await refusal(() => createWith([kubeadm, kubeadm, undefined], 'whole', ''));
  assert.equal(error.id, 'cluster-not-created');
});
