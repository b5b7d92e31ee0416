import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { delimiter, dirname, join } from 'node:path';
import { after, afterEach, beforeEach, test } from 'node:test';
import { type ToolName, toolSpecs } from '../../scripts/kubernetes/tools/specs.ts';
import { createToolbox, type ToolboxSetup } from '../../scripts/kubernetes/tools/toolbox.ts';
import type { Exec } from '../../scripts/lib/exec.ts';
import { refusal, temporaryFolder } from '../support/fakes.ts';

const binary = 'the program';
const sumOf = (text: string) => createHash('sha256').update(text).digest('hex');

const folder = await temporaryFolder();
let root: string;
let requests: string[];
let files: Record<string, string>;
let commands: string[][];
/** What a program on the PATH prints as its version, by its path. */
let printed: Record<string, string>;

const server = createServer((request, response) => {
  requests.push(request.url ?? '');
  const file = files[request.url ?? ''];
  response.writeHead(file === undefined ? 404 : 200).end(file);
});
const listening = new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
after(() => server.close());

beforeEach(async () => {
  await listening;
  root = await mkdtemp(join(folder, 'machine '));
  [requests, commands, printed] = [[], [], {}];
  files = { '/tool': binary, '/tool.sha256sum': `${sumOf(binary)}  tool-linux-amd64\n` };
});
afterEach(() => server.closeAllConnections());

const exec: Exec = async (command) => {
  commands.push([...command]);
  const [program, ...args] = command;
  const output = { stdout: printed[program] ?? '', stderr: '', exitCode: printed[program] === undefined ? 1 : 0 };
  if (program === 'tar') await writeMember(args[3] as string, args[4] as string);
  return output;
};

async function writeMember(folder: string, member: string) {
  await mkdir(dirname(join(folder, member)), { recursive: true });
  await writeFile(join(folder, member), `${binary}, unpacked`);
}

async function program(folder: string, name: string, prints?: string): Promise<string> {
  const path = join(root, folder, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, 'program');
  await chmod(path, 0o755);
  if (prints !== undefined) printed[path] = prints;
  return path;
}

const folders = (...names: string[]) => names.map((name) => join(root, name)).join(delimiter);
const cached = (key: string, name: string) => join(root, 'cache', 'tools', key, name);

function toolbox(changes: Partial<ToolboxSetup> = {}) {
  const specs = toolSpecs('v1.36.4');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/tool`;
  for (const spec of Object.values(specs)) Object.assign(spec, { url, checksumUrl: `${url}.sha256sum` });
  return createToolbox({
    exec,
    path: folders('bin'),
    cacheDir: join(root, 'cache'),
    kubernetesVersion: 'v1.36.4',
    signal: new AbortController().signal,
    platform: 'linux',
    arch: 'x64',
    specs,
    limits: { idleTimeout: 2_000, retryDelays: [] },
    ...changes,
  });
}

const onPath: [name: ToolName, prints: string, version: string | undefined][] = [
  ['kind', 'kind v0.33.0 go1.26.8 linux/amd64\n', 'v0.33.0'],
  ['kind', 'kind v0.32.0 go1.25 darwin/arm64\n', 'v0.32.0'],
  ['kind', 'kind v0.31.0 go1.25 darwin/arm64\n', undefined],
  ['kubectl', '{"clientVersion": {"gitVersion": "v1.36.0"}}', 'v1.36.0'],
  ['kubectl', '{"clientVersion": {"gitVersion": "v1.35.9-dispatcher"}}', 'v1.35.9-dispatcher'],
  ['kubectl', '{"clientVersion": {"gitVersion": "v1.37.1"}}', 'v1.37.1'],
  ['kubectl', '{"clientVersion": {"gitVersion": "v1.34.4"}}', undefined],
  ['kubectl', 'not JSON', undefined],
  ['helm', 'v3.14.0', 'v3.14.0'],
  ['helm', 'v4.3', 'v4.3'],
  ['helm', 'v3.13.3', undefined],
  ['kube-score', 'kube-score version: 1.20.0, commit: 0fb5f66, built: 2025-01-01', '1.20.0'],
  ['kube-score', 'kube-score version: development, commit: N/A, built: N/A', undefined],
  ['promtool', 'promtool, version 3.13.5 (branch: HEAD, revision: 5f4a6b2)', '3.13.5'],
  ['promtool', 'promtool, version 2.55.1 (branch: HEAD, revision: 5f4a6b2)', undefined],
];
for (const [name, prints, version] of onPath) {
  test(`${name} on the PATH that prints ${prints.trim()} is ${version === undefined ? 'passed over' : 'used'}`, async () => {
    const path = await program('bin', name, prints);
    const found = await toolbox().find(name);
    if (version === undefined) assert.equal(found.source, 'cache');
    else assert.deepEqual(found, { name, path, version, source: 'path' });
    assert.equal(requests.length > 0, version === undefined);
  });
}

test('an older one in front, a broken one and a link to it do not hide a newer one behind', async () => {
  const old = await program('old', 'kind', 'kind v0.20.0 go1.21 linux/amd64');
  await mkdir(join(root, 'link'));
  await symlink(old, join(root, 'link', 'kind'));
  await program('broken', 'kind');
  const path = await program('new', 'kind', 'kind v0.33.0 go1.26 linux/amd64');
  const found = await toolbox({ path: folders('missing', 'old', 'link', 'broken', 'new') }).find('kind');
  assert.equal(found.path, path);
  assert.equal(commands.length, 3);
});

test('a tool that is asked for twice is looked for once', async () => {
  await program('bin', 'kind', 'kind v0.33.0 go1.26 linux/amd64');
  const box = toolbox();
  const [first, second] = await Promise.all([box.find('kind'), box.find('kind')]);
  assert.equal(first, second);
  assert.equal(commands.length, 1);
});

test('what is not on the PATH is fetched, checked, and served from the cache from then on', async () => {
  const announced = new Set<string>();
  const first = await toolbox({ onDownload: (name) => announced.add(name) }).find('kind');
  const path = cached('kind-v0.33.0-linux-amd64', 'kind');
  assert.deepEqual(first, { name: 'kind', path, version: 'v0.33.0', source: 'cache' });
  assert.equal(await readFile(path, 'utf8'), binary);
  assert.deepEqual([...announced], ['kind']);
  assert.deepEqual(await toolbox().find('kind'), first);
  assert.deepEqual(requests, ['/tool.sha256sum', '/tool']);
  assert.deepEqual((await readdir(dirname(path))).sort(), ['kind', 'kind.sha256']);
});

test('a cached tool that was tampered with is fetched again', async () => {
  const { path } = await toolbox().find('kind');
  await writeFile(path, 'something else');
  await toolbox().find('kind');
  assert.equal(await readFile(path, 'utf8'), binary);
  assert.equal(requests.length, 4);
});

for (const [name, machine, key, member] of [
  ['helm', { arch: 'arm64', platform: 'darwin' }, 'helm-v4.3.1-darwin-arm64', 'darwin-arm64/helm'],
  // The archive is of all of Prometheus, and its name has the version without its v.
  ['promtool', {}, 'promtool-v3.13.5-linux-amd64', 'prometheus-3.13.5.linux-amd64/promtool'],
] as const) {
  test(`${name} is unpacked from its archive, that one file only`, async () => {
    const { path } = await toolbox(machine).find(name);
    assert.equal(path, cached(key, name));
    assert.equal(await readFile(path, 'utf8'), `${binary}, unpacked`);
    assert.equal(commands[0]?.at(-1), member);
  });
}

test('of a list of checksums, the line of the file counts', async () => {
  const other = sumOf('another file');
  files['/tool.sha256sum'] = `${other}  tool.sbom\n${sumOf(binary)} *tool\n${other}  tool-windows\n`;
  const { path } = await toolbox().find('kube-score');
  assert.equal(await readFile(path, 'utf8'), binary);
  files['/tool.sha256sum'] = `${sumOf(binary)}  tool-a\n${sumOf(binary)}  tool-b\n`;
  await assert.rejects(toolbox().find('kind'), { name: 'DownloadError' });
});

test('offline, nothing is fetched, and what is in the cache is used', async () => {
  await assert.rejects(toolbox({ offline: true }).find('kind'), { name: 'UsageError', id: 'tool-missing' });
  assert.deepEqual(requests, []);
  await toolbox().find('kind');
  assert.equal((await toolbox({ offline: true }).find('kind')).source, 'cache');
});

test('two toolboxes at the same time do not harm each other', async () => {
  const found = await Promise.all([toolbox().find('kind'), toolbox().find('kind'), toolbox().find('kind')]);
  assert.equal(await readFile(found[0].path, 'utf8'), binary);
  assert.deepEqual((await readdir(dirname(found[0].path))).sort(), ['kind', 'kind.sha256']);
});

test('another file than the published or the pinned one is refused, and nothing of it is kept', async () => {
  // Of this machine the checksum is pinned: what a server says of its own file does not count.
  for (const machine of [{}, { platform: 'darwin', arch: 'arm64' } as const]) {
    files['/tool'] = 'forged';
    if ('platform' in machine) files['/tool.sha256sum'] = `${sumOf('forged')}  tool\n`;
    await assert.rejects(toolbox(machine).find('kind'), { problem: 'checksum', id: 'download-failed' });
    const kept = await readdir(join(root, 'cache'), { recursive: true, withFileTypes: true });
    assert(!kept.some((one) => one.isFile()));
  }
});

test('a pinned checksum is of a kind of machine that a download is published for', () => {
  const pinned = Object.values(toolSpecs('v1.36.4')).flatMap(({ sha256 = {} }) => Object.entries(sha256));
  assert(pinned.length > 0);
  for (const [machine, sum] of pinned) assert.match(`${machine} ${sum}`, /^(linux|darwin)-(amd64|arm64) [0-9a-f]{64}$/);
});

const unavailable: [title: string, name: ToolName, says: RegExp, changes?: Partial<ToolboxSetup>][] = [
  ['no release', 'kind', /^kind 0\.32\.0 .*not on the PATH.*HTTP 404/],
  ['an old one on the PATH', 'helm', /v3\.1\.0 \(.*bin\/helm\)/],
  ['an unknown machine', 'kubectl', /^kubectl .*1\.36/, { arch: 's390x' }],
];
for (const [title, name, says, changes] of unavailable) {
  test(`${title}: a usage error says how to install ${name} by hand, and is not remembered`, async () => {
    const published = files;
    files = {};
    await program('bin', 'helm', 'v3.1.0');
    const box = toolbox(changes);
    const { error } = await refusal(() => box.find(name));
    assert.deepEqual([error.id, error.name], ['tool-missing', 'UsageError']);
    assert.match(error.message, says);
    assert.match(error.hint ?? '', /brew install .*https:/);
    files = published;
    if (changes === undefined) assert.equal((await box.find(name)).source, 'cache');
  });
}

test('what is no Kubernetes version is a usage error', () => {
  assert.throws(() => toolSpecs('latest'), { name: 'UsageError', message: /"latest"/ });
});
