import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createUnpackedImages } from '../../scripts/images/unpacked.ts';
import { type FakeExec, fakeExec, temporaryFolder } from '../support/fakes.ts';

const scripts = fileURLToPath(new URL('../../cluster/node-images', import.meta.url));
const id = 'a'.repeat(16);
const images = new Map([['quay.io/x/a:1', 'sha256:1']]);

/** A node that writes an archive of `bytes` bytes, of which the end may be lost, or ends as told. */
function fakeNode({ bytes = 1100, lost = 0, exitCode = 0, stderr = '' } = {}): FakeExec {
  return fakeExec((line) => {
    if (line.includes('image inspect')) return { stdout: `sha256:${id}ffff\n` };
    const [, part] = line.match(/ copy (.*\.part) /) ?? [];
    assert(part, line);
    writeFileSync(part, Buffer.concat([Buffer.alloc(bytes - 1024, 'x'), Buffer.alloc(1024 - lost)]));
    return { exitCode, stderr };
  });
}

async function keeper(exec: FakeExec, { limit = 10_000, base = '' } = {}) {
  const cache = base || (await temporaryFolder());
  const unpacked = createUnpackedImages({
    exec,
    folder: join(cache, 'nodes'),
    packed: join(cache, 'images'),
    limit,
    scripts,
  });
  const tars = () => {
    const folder = join(cache, 'nodes', id);
    return existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.tar')) : [];
  };
  return { unpacked, cache, tars, folder: join(cache, 'nodes', id) };
}

test('what a node has is kept once, and offered to the next with what restores it', async () => {
  const exec = fakeNode();
  const { unpacked, folder, tars } = await keeper(exec);
  assert.equal(await unpacked.offer('kindest/node'), undefined);
  assert.equal(await unpacked.keep('n', 'kindest/node', images), 1100);
  assert.equal(await unpacked.keep('n', 'kindest/node', new Map([...images, ['sha256:9', 'sha256:1']])), 0);
  assert.equal(tars().length, 1);
  assert.equal(statSync(folder).mode & 0o077, 0);
  assert.equal(await unpacked.offer('kindest/node'), folder);
  assert.deepEqual(readdirSync(folder).toSorted(), [...tars(), 'restore.sh', 'zz-platform-ops.conf'].toSorted());
  assert.match(readFileSync(join(folder, 'zz-platform-ops.conf'), 'utf8'), /ExecStartPre=-.*restore\.sh/);
  const [copied] = exec.calls.filter(({ command }) => command.includes('copy'));
  assert.deepEqual(copied?.command.slice(-3), ['n', '10000', 'sha256:1']);
});

test('other images take the place of those that were kept', async () => {
  const { unpacked, tars } = await keeper(fakeNode());
  await unpacked.keep('n', 'i', images);
  const before = tars();
  await unpacked.keep('n', 'i', new Map([['quay.io/x/a:2', 'sha256:2']]));
  assert.equal(tars().length, 1);
  assert.notDeepEqual(tars(), before);
});

test('the packed images come first: what they leave is the room', async () => {
  const exec = fakeNode();
  const { unpacked, cache } = await keeper(exec, { limit: 100 });
  mkdirSync(join(cache, 'images'), { recursive: true });
  writeFileSync(join(cache, 'images', `x@sha256-${'0'.repeat(64)}.tar`), 'y'.repeat(70));
  await unpacked.keep('n', 'i', images);
  assert.equal(exec.calls.at(-1)?.command.at(-2), '30');
});

test('without room, or where containerd keeps layers otherwise, nothing is kept and nothing is said', async () => {
  for (const exitCode of [3, 4]) {
    const { unpacked, folder } = await keeper(fakeNode({ exitCode }));
    assert.equal(await unpacked.keep('n', 'i', images), 0);
    assert.deepEqual(readdirSync(folder), []);
  }
});

test('an archive of which Docker lost the end is not kept', async () => {
  const { unpacked, folder } = await keeper(fakeNode({ lost: 1 }));
  assert.equal(await unpacked.keep('n', 'i', images), 0);
  assert.deepEqual(readdirSync(folder), []);
});

test('what fails otherwise is told, and leaves nothing half behind', async () => {
  const { unpacked, folder } = await keeper(fakeNode({ exitCode: 1, stderr: 'no space left on device' }));
  await assert.rejects(unpacked.keep('n', 'i', images), /no space/);
  assert.deepEqual(readdirSync(folder), []);
});

test('with a limit of 0 nothing is kept, offered or asked', async () => {
  const exec = fakeNode();
  const { unpacked } = await keeper(exec, { limit: 0 });
  assert.equal(await unpacked.keep('n', 'i', images), 0);
  assert.equal(await unpacked.offer('i'), undefined);
  assert.deepEqual(exec.calls, []);
});

test('the longest unused go over the limit, and what is thrown away leaves the folder that nodes look for', async () => {
  const { unpacked, cache, tars, folder } = await keeper(fakeNode(), { limit: 2000 });
  const old = join(cache, 'nodes', 'old');
  mkdirSync(old, { recursive: true });
  writeFileSync(join(old, 'images-00.tar'), 'z'.repeat(1100));
  utimesSync(join(old, 'images-00.tar'), 1, 1);
  await unpacked.keep('n', 'i', images);
  assert.deepEqual(readdirSync(old), []);
  assert.equal(tars().length, 1);
  await unpacked.discard('i');
  assert.deepEqual(tars(), []);
  assert(existsSync(folder));
});
