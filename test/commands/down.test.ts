import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as createWebServer } from 'node:http';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { authorityItems, trustItems } from '../../scripts/access/trust.ts';
import {
  cacheItems,
  clusterItems,
  forwardItems,
  imageItems,
  orphanItems,
  stateItems,
} from '../../scripts/cluster/cleanup.ts';
import { downCommand } from '../../scripts/commands/down.ts';
import { type Config, loadConfig } from '../../scripts/config/config.ts';
import { notePulled } from '../../scripts/images/store.ts';
import { type CleanupItem, removeItems } from '../../scripts/lib/cleanup.ts';
import { Interrupted, UserError } from '../../scripts/lib/errors.ts';
import { isRunning, processStartTime, sendSignal } from '../../scripts/lib/processes.ts';
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
  const { items, notes } = await trustItems([store, broken]);
  assert.deepEqual(names(items), [`trust ${name} (Chrome)`]);
  assert.match(notes.join(), /Not looked into Firefox: certutil is not installed/);
  assert.deepEqual(await removeItems(items, async () => [], signal), []);
});

/** Starts a program in bash in a group of its own, as a command does that is killed afterwards. */
function startProgram(program: string, variables: Record<string, string> = {}): number {
  const group = variables.PLATFORM_OPS_STARTED_IN ?? '$$';
  const script = `export PLATFORM_OPS_STARTED_IN=${group}; exec bash -c "$0"`;
  const env = { PATH: process.env.PATH, ...variables };
  return spawn('bash', ['-c', script, program], { env, stdio: 'ignore', detached: true }).pid ?? assert.fail();
}
/** Variables of a child of a command, which runs no more unless another process is given. */
const startedBy = (by = '999999 up', stateDir = config().stateDir) => ({
  PLATFORM_OPS_STARTED_FOR: stateDir,
  PLATFORM_OPS_STARTED_BY: by,
});
const isAlive = (pid: number) => isRunning(pid, undefined) && processStartTime(pid) !== 'ended';
const pids = (items: readonly CleanupItem[]) => items.map(({ name }) => Number(name.split(' ')[0]));

test('what a killed command left behind is ended, and nothing else, whatever its command line says', async (t) => {
  const own = `${process.pid} up ${processStartTime(process.pid)}`;
  const orphan = startProgram("trap '' TERM; sleep 77; sleep 77", startedBy());
  const reused = startProgram('exec sleep 77', startedBy(`${process.pid} up another start`));
  const daemon = join(folder, 'daemon');
  // As the daemon of git's credential cache: it stays in the group, which nobody leads any more.
  startProgram(`sleep 77 & echo $! > '${daemon}'`, startedBy());
  while (!existsSync(daemon) || readFileSync(daemon, 'utf8') === '') await sleep(20);
  const others = [
    Number(readFileSync(daemon, 'utf8')),
    startProgram('exec -a "docker logs -f x-control-plane" sleep 77'),
    startProgram(`exec -a "vi ${config().stateDir}/kubeconfig --name x" sleep 77`),
    startProgram(`exec -a "grep PLATFORM_OPS_STARTED_FOR=${config().stateDir}" sleep 77`),
    startProgram('exec sleep 77', startedBy(own)),
    startProgram('exec sleep 77', startedBy('999999 up', join(folder, '.state', 'another'))),
    // As a gpg-agent that a login of Docker's needed: it went into a group of its own.
    startProgram('exec sleep 77', { ...startedBy(), PLATFORM_OPS_STARTED_IN: '999999' }),
  ];
  t.after(() => {
    for (const pid of others) sendSignal(pid, 'SIGKILL');
  });
  const find = () => orphanItems(config());
  let items = find();
  for (const deadline = Date.now() + 20_000; items.length < 3 && Date.now() < deadline; items = find()) await sleep(50);
  assert.equal(items.length, 3, 'the orphan has a child');
  assert(
    pids(items).includes(orphan) && pids(items).includes(reused) && !pids(items).some((pid) => others.includes(pid)),
  );
  assert.deepEqual(await removeItems(items, async () => find(), signal), []);
  assert.deepEqual([isAlive(orphan), isAlive(reused)], [false, false]);
  assert(others.every(isAlive));
});

test('a forward is known by the port-forward that it started for this cluster, and is given time to end by itself', async () => {
  const kubectl = `setsid sh -c 'export PLATFORM_OPS_STARTED_IN=$$; exec sleep 1.5'`;
  const child = `PLATFORM_OPS_STARTED_FOR="$FOR" PLATFORM_OPS_STARTED_BY="$$ $COMMAND" ${kubectl} & `;
  const variables = { FOR: config().stateDir, FILE: join(folder, 'told') };
  const program = `${child} trap 'echo told >> "$FILE"' TERM; wait; echo itself >> "$FILE"`;
  const pid = startProgram(program, { ...variables, COMMAND: 'port-forward' });
  const other = startProgram(`${child} wait`, { ...variables, COMMAND: 'verify' });
  let items: CleanupItem[] = [];
  for (
    const deadline = Date.now() + 20_000;
    items.length === 0 && Date.now() < deadline;
    items = forwardItems(config())
  )
    await sleep(20);
  assert.deepEqual(names(items), [`process ${pid} (npm run port-forward)`]);
  assert(isAlive(other));
  assert.deepEqual(await removeItems(items, async () => [], signal), []);
  assert.equal(readFileSync(variables.FILE, 'utf8'), 'itself\n');
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

test('a second down in a cluster of others finds nothing, and leaves no login that it fetched to look', async () => {
  const server = createWebServer((_, response) => response.end('{"items":[]}')).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const kubeconfig = `{clusters: [{cluster: {server: "http://127.0.0.1:${port}"}}], users: [{user: {token: t}}]}`;
  const kubectl = `#!/bin/sh\necho '# "gitVersion": "v1.36.4"\n${kubeconfig}'`;
  writeFileSync(join(folder, 'kubectl'), kubectl, { mode: 0o755 });
  const target = { TARGET_CONTEXT: 'theirs', GITOPS_REPO_URL: 'https://127.0.0.1:1/ops.git' };
  const config = loadConfig(folder, { PATH: `${folder}:${process.env.PATH}`, HOME: folder, ...target });
  const printed: string[] = [];
  const print = (text: string) => void printed.push(text);
  const flags = { json: true, yes: true };
  await downCommand.run({ config, flags, signal, print, progressStream: process.stderr, word: undefined });
  server.closeAllConnections();
  server.close();
  assert.deepEqual(JSON.parse(printed.join()), { removed: [], kept: [], left: [] });
  assert(!existsSync(config.stateDir));
});
