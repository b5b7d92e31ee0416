import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { beforeEach, test } from 'node:test';
import { clusterItems, imageItems } from '../../scripts/commands/cleanup/docker.ts';
import { authorityItems, cacheItems, stateItems, trustItems } from '../../scripts/commands/cleanup/files.ts';
import { type CleanupItem, removeItems } from '../../scripts/commands/cleanup/items.ts';
import { forwardItems, orphanItems } from '../../scripts/commands/cleanup/processes.ts';
import { downCommand } from '../../scripts/commands/down.ts';
import type { Config } from '../../scripts/config/config.ts';
import { notePulled } from '../../scripts/images/store.ts';
import { Interrupted, UserError } from '../../scripts/lib/errors.ts';
import { createExec } from '../../scripts/lib/exec.ts';
import { everyKind, fakeContext, fakeExec, refusal, temporaryFolder } from '../support/fakes.ts';

const folder = await temporaryFolder();
const signal = new AbortController().signal;
const gitFolder = '/home/ann/ops/.git';
const volume = 'a'.repeat(64);
const names = (items: readonly CleanupItem[]) => items.map(({ kind, name }) => `${kind} ${name}`);

/** A Docker with a node of ours, a foreign one beside it, kind's network and some images; what is removed is gone. */
let docker: {
  containers: Set<string>;
  images: Set<string>;
  volumes: Set<string>;
  networks: Set<string>;
  others: string[];
};
let networkCreated: string;
let state: string;
let refusesToRemove: string | undefined;
beforeEach(() => {
  docker = {
    containers: new Set(['x-control-plane']),
    images: new Set(['platform-ops/stand-in-core-go:1-abc', 'node:22', 'kindest/node:v1.36.4']),
    volumes: new Set([volume]),
    networks: new Set(['kind']),
    others: [],
  };
  networkCreated = '2026-11-23T10:00:00.5+00:00';
  state = 'running';
  refusesToRemove = undefined;
});

const node = () => ({
  Name: '/x-control-plane',
  Created: '2026-11-23T10:00:02.123456789Z',
  State: { Running: state === 'running', Status: state },
  Config: { Image: 'kindest/node:v1.36.4' },
  Mounts: [{ Type: 'volume', Name: volume }, { Type: 'volume', Name: 'a-persons-own' }, { Type: 'bind' }],
  HostConfig: {
    Binds: [`${gitFolder}:/platform-ops/git:ro`],
    PortBindings: { '80/tcp': [{ HostPort: '1' }], '6443/tcp': [{ HostPort: '40000' }] },
  },
  NetworkSettings: { Networks: { kind: {} } },
});

const exec = () =>
  fakeExec((line) => {
    const there = (set: Set<string>, what: string) =>
      set.has(line.split(' ').at(-1) ?? '') ? {} : { exitCode: 1, stderr: `Error: No such ${what}: y` };
    if (line.startsWith('docker ps --all --quiet'))
      return { stdout: [...docker.containers].map((name) => `${name}\n`).join('') };
    if (/^docker ps .*network=kind/.test(line)) return { stdout: [...docker.containers, ...docker.others].join('\n') };
    if (/^docker ps .*ancestor=/.test(line)) return { stdout: docker.others.join('\n') };
    if (line.startsWith('docker container inspect --format')) return there(docker.containers, 'container');
    if (line.startsWith('docker container inspect')) {
      return docker.containers.size > 0
        ? { stdout: JSON.stringify([node()]) }
        : { exitCode: 1, stderr: 'No such container: y' };
    }
    if (line.startsWith('docker volume inspect')) return there(docker.volumes, 'volume');
    if (line.startsWith('docker network inspect --format {{json')) return { stdout: JSON.stringify(networkCreated) };
    if (line.startsWith('docker network inspect')) return there(docker.networks, 'network');
    if (line.startsWith('docker image inspect')) return there(docker.images, 'image');
    if (line.startsWith('docker image ls'))
      return { stdout: [...docker.images].filter((name) => name.startsWith('platform')).join('\n') };
    const [, kind] = line.match(/^docker (rm|volume rm|network rm|image rm) /) ?? [];
    if (kind === undefined) return undefined;
    if (refusesToRemove !== undefined) return { exitCode: 1, stderr: refusesToRemove };
    const name = line.split(' ').at(-1) ?? '';
    for (const set of [docker.containers, docker.volumes, docker.networks, docker.images]) set.delete(name);
    if (kind === 'rm') docker.volumes.clear();
    return undefined;
  });

const config = () =>
  ({
    root: folder,
    clusterName: 'x',
    ports: { http: 1, https: 2 },
    stateDir: join(folder, '.state', 'x'),
    cacheDir: join(folder, 'cache'),
    dataDir: join(folder, 'data'),
    nodeImage: 'kindest/node:v1.36.4',
    childEnv: everyKind({ HOME: folder }),
  }) as unknown as Config;
const contextWith = (parts: object = {}) =>
  fakeContext({
    config: config(),
    exec: exec(),
    node: 'x-control-plane',
    kubeconfig: join(folder, '.state', 'x', 'kubeconfig'),
    signal,
    timeout: 1000,
    checkout: async () => ({ commonDir: gitFolder }),
    ...parts,
  });

test('the cluster is its container, the volume made for it, the network made for it, and the ports of the settings', async () => {
  const items = await clusterItems(contextWith());
  assert.deepEqual(names(items), [
    'container x-control-plane',
    `volume ${'a'.repeat(12)}`,
    'network kind',
    'port 127.0.0.1:1',
  ]);
  assert.deepEqual(await removeItems(items, () => clusterItems(contextWith()), signal), []);
  assert.deepEqual([docker.containers.size, docker.volumes.size, docker.networks.size], [0, 0, 0]);
});

for (const one of ['created', 'exited', 'paused', 'dead', 'removing']) {
  test(`a container that is ${one} is found as well, and holds no port`, async () => {
    state = one;
    assert.deepEqual(names(await clusterItems(contextWith())).slice(0, 1), ['container x-control-plane']);
    assert(!names(await clusterItems(contextWith())).some((name) => name.startsWith('port')));
  });
}

test("kind's network stays where somebody else is in it, or it was there long before the cluster", async () => {
  docker.others = ['foreign-control-plane'];
  assert(!names(await clusterItems(contextWith())).includes('network kind'));
  docker.others = [];
  networkCreated = '2026-11-23T09:00:00Z';
  assert(!names(await clusterItems(contextWith())).includes('network kind'));
});

test('a cluster of another checkout is refused, and nothing of it is touched', async () => {
  const context = contextWith({ checkout: async () => ({ commonDir: '/elsewhere/.git' }) });
  assert.match((await refusal(() => clusterItems(context))).text, /was made from another checkout/);
  const { exec } = context as unknown as { exec: ReturnType<typeof fakeExec> };
  assert(!exec.lines().some((line) => / rm /.test(line)));
});

test('what Docker does not remove is left over, with its reason and what to do, and the rest goes', async () => {
  refusesToRemove = 'Error response from daemon: driver "overlay2" failed: device or resource busy';
  const items = [...(await clusterItems(contextWith())), ...stateItems(config())];
  const left = await removeItems(items, async () => [], signal);
  assert.equal(left[0]?.item.name, 'x-control-plane');
  assert.match(left[0]?.reason ?? '', /device or resource busy.*docker rm -f -v x-control-plane/);
});

test('something new that comes meanwhile is a leftover, and a bug is no leftover', async () => {
  const item: CleanupItem = { kind: 'file', name: 'one', remove: async () => {}, isThere: async () => false };
  const late: CleanupItem = { ...item, name: 'late' };
  const left = await removeItems([item], async () => [item, late], signal);
  assert.deepEqual(names(left.map(({ item }) => item)), ['file late']);
  const bug = new Error('bug');
  await assert.rejects(
    removeItems([{ ...item, remove: () => Promise.reject(bug) }], async () => [], signal),
    (error) => error === bug,
  );
  await assert.rejects(
    removeItems([item], async () => [], AbortSignal.abort()),
    Interrupted,
  );
});

test('folders are listed where they are, and are gone afterwards', async () => {
  const { stateDir, cacheDir, dataDir } = config();
  assert.deepEqual([...stateItems(config()), ...(await cacheItems(config())), ...authorityItems(config())], []);
  for (const path of [join(stateDir, 'kubeconfig'), join(cacheDir, 'tools', 'kind'), join(dataDir, 'ca', 'ca.key')]) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, 'x');
  }
  const all = async () => [...stateItems(config()), ...authorityItems(config()), ...(await cacheItems(config()))];
  const items = await all();
  assert.match(
    names(items).join('\n'),
    /^file private kubeconfig \(\.state\/x\)\nfile local certificate authority \(.*ca\)\nfile cache of tools/,
  );
  assert.deepEqual(await removeItems(items, all, signal), []);
  assert(![stateDir, cacheDir, dataDir].some(existsSync));
});

test('stand-ins go, and images that we had pulled and nobody runs; what Docker had before stays and is told', async () => {
  assert.deepEqual(await imageItems(contextWith()).then(({ items }) => names(items)), [
    'image platform-ops/stand-in-core-go:1-abc',
  ]);
  assert.match((await imageItems(contextWith())).notes.join(), /kindest\/node:v1\.36\.4 stays: Docker had it before/);
  for (const image of ['kindest/node:v1.36.4', 'kindest/node:v1.36.4', 'gone:1'])
    await notePulled(config().cacheDir, image);
  const { items, notes } = await imageItems(contextWith());
  assert.deepEqual(
    [names(items), notes],
    [['image platform-ops/stand-in-core-go:1-abc', 'image kindest/node:v1.36.4'], []],
  );
  docker.others = ['foreign-control-plane'];
  const used = await imageItems(contextWith());
  assert.deepEqual(names(used.items), ['image platform-ops/stand-in-core-go:1-abc']);
  assert.match(used.notes.join(), /kindest\/node:v1\.36\.4 stays: foreign-control-plane runs it/);
  docker.others = [];
  assert.deepEqual(await removeItems(items, async () => [], signal), []);
  assert.deepEqual([...docker.images], ['node:22']);
});

test('the trust goes out of every store that has it; one that can not be read is told of', async () => {
  const name = 'platform-ops local authority 0123abcd';
  const trusted = [{ name, trusted: true }];
  const store = {
    title: 'Chrome',
    list: async () => trusted,
    add: async () => {},
    remove: async () => void trusted.pop(),
  };
  const broken = { ...store, title: 'Firefox', list: () => Promise.reject(new UserError('certutil is not installed')) };
  const { items, notes } = await trustItems(contextWith(), [store, broken]);
  assert.deepEqual(names(items), [`trust ${name} (Chrome)`]);
  assert.match(notes.join(), /Not looked into Firefox: certutil is not installed/);
  assert.deepEqual(await removeItems(items, async () => [], signal), []);
});

test('only children that lost their parent and have no terminal are ours to end', async () => {
  const kubeconfig = join(folder, '.state', 'x', 'kubeconfig');
  const table = [
    `  100     1 ?        kubectl --kubeconfig ${kubeconfig} apply -f -`,
    `  101     1 ?        docker exec x-control-plane ctr images pull y`,
    `  102     1 pts/0    docker exec -it x-control-plane bash`,
    `  103   200 ?        kubectl --kubeconfig ${kubeconfig} get pods`,
    `  104     1 ?        docker logs xx-control-plane`,
    `  105     1 ?        kind create cluster --name x2`,
    `  106   300 ??       kind create cluster --name x --config -`,
    '  300     1 ?        /usr/lib/systemd/systemd --user',
  ].join('\n');
  const found = await orphanItems(
    contextWith({ exec: fakeExec((line) => (line.startsWith('ps ') ? { stdout: table } : undefined)) }),
  );
  assert.deepEqual(
    found.map(({ name }) => name.split(' ')[0]),
    ['100', '101', '106'],
  );
});

test('an orphan is ended, even one that takes no hint', async () => {
  const real = createExec({ env: everyKind({ PATH: process.env.PATH ?? '' }), signal });
  // A shell that ends at once, so that its child has no parent any more.
  const script = `(trap '' TERM; exec -a "docker exec x-control-plane y" sleep 77) >/dev/null 2>&1 & echo started`;
  await new Promise((resolve) =>
    spawn('bash', ['-c', script], { detached: true, stdio: 'ignore' }).once('exit', resolve),
  );
  const find = () => orphanItems(contextWith({ exec: real }));
  let items = await find();
  for (const deadline = Date.now() + 60_000; items.length === 0 && Date.now() < deadline; ) items = await find();
  assert.equal(items.length, 1);
  assert.deepEqual(await removeItems(items, find, signal), []);
});

test('a forwarder is known by the port-forward that it started on our cluster, and is given time to end by itself', async () => {
  const kubectl = (path: string) =>
    `kubectl --kubeconfig ${path} --context x port-forward --address=127.0.0.1 pod/p :1`;
  const table = [
    `10 9 pts/1 node platform.mjs forward grafana`,
    `11 10 ? ${kubectl(join(folder, '.state', 'x', 'kubeconfig'))}`,
    `12 10 ? ${kubectl(join(folder, '.state', 'x', 'kubeconfig'))}`,
    `20 9 pts/2 node platform.mjs forward`,
    `21 20 ? ${kubectl(join(folder, '.state', 'another', 'kubeconfig'))}`,
    `30 9 pts/3 bash`,
    `31 30 pts/3 ${kubectl(join(folder, '.state', 'x', 'kubeconfig'))}`,
  ];
  let looks = 0;
  const exec = fakeExec(() => {
    looks += 1;
    return { stdout: (looks < 4 ? table : table.slice(1)).join('\n') };
  });
  const items = await forwardItems(contextWith({ exec }));
  assert.deepEqual(names(items), ['process 10 (npm run forward)']);
  // Were it told to end, process 10 of this machine would be.
  assert.deepEqual(await removeItems(items, async () => [], signal), []);
});

test('a port that stays taken is a leftover', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const taken = {
    ...node(),
    HostConfig: { ...node().HostConfig, PortBindings: { '80/tcp': [{ HostPort: `${port}` }] } },
  };
  const base = exec();
  const context = contextWith({
    config: { ...config(), ports: { http: port, https: 2 } },
    exec: (async (command, options) =>
      /^docker container inspect x/.test(command.join(' '))
        ? { stdout: JSON.stringify([taken]), stderr: '', exitCode: 0 }
        : base(command, options)) as typeof base,
  });
  const left = await removeItems(await clusterItems(context), async () => [], signal);
  server.close();
  assert.deepEqual(names(left.map(({ item }) => item)), [`port 127.0.0.1:${port}`]);
});

test('--purge without a terminal wants --yes, before anything is looked at', async () => {
  const invocation = {
    config: config(),
    flags: { purge: true },
    signal,
    print: () => {},
    progressStream: process.stderr,
    word: undefined,
  };
  const stdin = Object.getOwnPropertyDescriptor(process.stdin, 'isTTY');
  Object.defineProperty(process.stdin, 'isTTY', { value: false, configurable: true });
  const { error, text } = await refusal(() => downCommand.run(invocation));
  if (stdin) Object.defineProperty(process.stdin, 'isTTY', stdin);
  assert.equal(error.exitCode, 2);
  assert.match(text, /--purge --dry-run .*--purge --yes/);
});
