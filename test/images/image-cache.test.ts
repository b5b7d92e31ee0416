import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  type Archive,
  archivesIn,
  createImageCache,
  demandKept,
  fileNameOf,
  overLimit,
} from '../../scripts/images/cache.ts';
import { type NodeImages, nodeImages } from '../../scripts/images/containerd.ts';
import { createImageStore } from '../../scripts/images/store.ts';
import { CommandError, type Output } from '../../scripts/lib/exec.ts';
import { fakeExec, refusal, temporaryFolder } from '../support/fakes.ts';

const image = 'quay.io/x/a:1';
const digest = `sha256:${'a'.repeat(64)}`;
const other = `sha256:${'b'.repeat(64)}`;
const limit = 1000;

/** A node by its images. An archive's text is the digest of what is in it; one that is not whole can't be read. */
function fakeNode(has: Record<string, string> = {}) {
  const images = new Map(Object.entries(has));
  const asked: string[] = [];
  const node: Partial<NodeImages> = {
    list: async () => new Map(images),
    async importArchive(file): Promise<Output> {
      asked.push('import');
      const text = await readFile(file, 'utf8');
      if (!text.startsWith('sha256:')) return { exitCode: 1, stdout: '', stderr: 'ctr: unexpected EOF' };
      images.set(image, text.trim());
      return { exitCode: 0, stdout: '', stderr: '' };
    },
    async exportArchive(name, file) {
      asked.push(`export ${name}`);
      await writeFile(file, images.get(name) ?? '');
    },
  };
  return { node: node as NodeImages, asked, images };
}

test('what one node had is read into the next, and not written again', async () => {
  const folder = join(await temporaryFolder(), 'images');
  const cache = createImageCache({ folder, limit });
  const first = fakeNode({ [image]: digest, 'quay.io/x/unasked:1': other });
  assert.equal(await cache.restore(first.node, image), false);
  assert.deepEqual(await cache.keep(first.node, new Map([[image, digest]])), { images: [image], bytes: digest.length });
  assert.deepEqual(await cache.keep(first.node, new Map([[image, digest]])), { images: [], bytes: 0 });
  assert.deepEqual(first.asked, [`export ${image}`]);
  assert.equal(statSync(folder).mode & 0o077, 0);
  const second = fakeNode();
  assert.equal(await cache.restore(second.node, image), true);
  assert.equal(second.images.get(image), digest);
});

test('an archive that is not whole, or holds another image than its name says, is thrown away', async () => {
  for (const text of ['half of an arch', other]) {
    const folder = await temporaryFolder();
    const file = join(folder, fileNameOf(image, digest));
    writeFileSync(file, text);
    assert.equal(await createImageCache({ folder, limit }).restore(fakeNode().node, image), false);
    assert.equal(existsSync(file), false, text);
  }
});

test('where Docker does not answer, the archive stays and Docker is named', async () => {
  const folder = await temporaryFolder();
  writeFileSync(join(folder, fileNameOf(image, digest)), digest);
  const stderr = 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock.';
  const exec = fakeExec(() => ({ exitCode: 1, stderr }));
  const node = nodeImages(exec, 'node', new AbortController().signal, { timeout: 1000 });
  const { error } = await refusal(() => createImageCache({ folder, limit }).restore(node, image));
  assert.equal(error.id, 'docker-not-running');
  assert.equal((await archivesIn(folder)).length, 1);
});

test('an image leaves the node as a file, which is removed there, whatever happens', async () => {
  const exec = fakeExec((line) => ({ exitCode: line.startsWith('docker cp') ? 1 : 0 }));
  const node = nodeImages(exec, 'node', new AbortController().signal, { timeout: 1000 });
  await assert.rejects(node.exportArchive(image, '/cache/.1.part'));
  const [exported, copied, removed] = exec.calls.map(({ command }) => command);
  assert.equal(exported?.at(-2), '/var/lib/.1.part');
  assert.deepEqual(copied, ['docker', 'cp', 'node:/var/lib/.1.part', '/cache/.1.part']);
  assert.deepEqual(removed, ['docker', 'exec', 'node', 'rm', '-f', '/var/lib/.1.part']);
  // Where Ctrl-C came first, the next one removes it.
  const inNode = await temporaryFolder();
  for (const name of ['.0.part', 'kept']) writeFileSync(join(inNode, name), '');
  writeFileSync(join(inNode, 'ctr'), '#!/bin/sh\ntouch "$4"\n', { mode: 0o755 });
  const env = { PATH: `${inNode}:${process.env.PATH}` };
  execFileSync('sh', ['-c', exported?.at(-4) ?? '', 'export', join(inNode, '.1.part'), image], { env });
  assert.deepEqual(readdirSync(inNode).toSorted(), ['.1.part', 'ctr', 'kept']);
});

test('another image of the same name takes the place of the old one', async () => {
  const folder = await temporaryFolder();
  const cache = createImageCache({ folder, limit });
  await cache.keep(fakeNode({ [image]: digest }).node, new Map([[image, digest]]));
  await cache.keep(fakeNode({ [image]: other }).node, new Map([[image, other]]));
  assert.deepEqual(
    (await archivesIn(folder)).map((archive) => [archive.image, archive.digest]),
    [[image, other]],
  );
});

test('a file that can’t be written leaves nothing half behind', async () => {
  const folder = await temporaryFolder();
  const { node } = fakeNode({ [image]: digest });
  const full: NodeImages = {
    ...node,
    async exportArchive(_, file) {
      writeFileSync(file, 'half');
      throw new Error('no space left on device');
    },
  };
  await assert.rejects(createImageCache({ folder, limit }).keep(full, new Map([[image, digest]])), /no space/);
  assert.deepEqual(readdirSync(folder), []);
});

test('over the limit, what was unused for the longest time goes; with a limit of 0 nothing is kept or used', async () => {
  const archive = (name: string, bytes: number, usedAt: number): Archive => ({
    file: name,
    image: name,
    digest,
    bytes,
    usedAt,
  });
  const all = [archive('new', 40, 3), archive('old', 50, 1), archive('middle', 30, 2)];
  assert.deepEqual(
    [120, 119, 70, 40, 39, 0].map((most) => overLimit(all, most).map(({ image }) => image)),
    [[], ['old'], ['old'], ['old', 'middle'], ['old', 'middle', 'new'], ['old', 'middle', 'new']],
  );

  const folder = await temporaryFolder();
  const stale = join(folder, fileNameOf('quay.io/x/stale:1', digest));
  writeFileSync(stale, digest);
  utimesSync(stale, 1, 1);
  await createImageCache({ folder, limit: 100 }).keep(fakeNode({ [image]: digest }).node, new Map([[image, digest]]));
  assert.deepEqual(
    (await archivesIn(folder)).map((kept) => kept.image),
    [image],
  );
  const off = createImageCache({ folder, limit: 0 });
  assert.equal(await off.restore(fakeNode().node, image), false);
  assert.deepEqual(await off.keep(fakeNode({ x: digest }).node, new Map([['x', digest]])), { images: [], bytes: 0 });
});

test('what is told as kept is in the cache: not what went over the limit, nor what the node has discarded', async () => {
  const folder = await temporaryFolder();
  const [big, small] = [`sha256:${'c'.repeat(90)}`, `sha256:${'d'.repeat(64)}`];
  const { node } = fakeNode({ big, small, shared: other });
  const discarding: NodeImages = {
    ...node,
    async exportArchive(name, file) {
      await node.exportArchive(name, file);
      if (name !== 'shared') return;
      const stderr = `ctr: failed to get reader: content digest ${other}: not found\n`;
      throw new CommandError(['ctr'], { stdout: '', stderr, exitCode: 1 });
    },
  };
  const wanted = new Map(Object.entries({ big, small, shared: other }));
  const kept = await createImageCache({ folder, limit: 80 }).keep(discarding, wanted);
  assert.deepEqual(kept, { images: ['small'], bytes: small.length });
  assert.deepEqual(
    (await archivesIn(folder)).map((archive) => archive.image),
    ['small'],
  );
});

test('using an image makes it the last to go; strange files are left alone', async () => {
  const folder = await temporaryFolder();
  writeFileSync(join(folder, 'notes.txt'), '');
  const file = join(folder, fileNameOf(image, digest));
  writeFileSync(file, digest);
  utimesSync(file, 1, 1);
  await createImageCache({ folder, limit }).restore(fakeNode().node, image);
  const [archive] = await archivesIn(folder);
  assert((archive?.usedAt ?? 0) > Date.now() - 60_000);
  assert(existsSync(join(folder, 'notes.txt')));
  assert.deepEqual(await archivesIn(join(folder, 'not there')), []);
});

test('the store asks the cache before a registry, keeps what was asked of it, and pulls what the cache can’t give', async () => {
  const has = new Set<string>();
  const exec = fakeExec((line) => {
    const [, pulled] = line.match(/images pull .*?(\S+)$/) ?? [];
    if (pulled) has.add(pulled);
    const rows = [...has].map((name) => `${name} type ${digest}`);
    return line.endsWith(' images list') ? { stdout: ['REF', ...rows, ''].join('\n') } : {};
  });
  const kept: string[][] = [];
  const store = createImageStore(exec, 'node', new AbortController().signal, {
    cache: {
      has: async (name) => name === image,
      restore: async (_, name) => {
        if (name !== image) return false;
        has.add(name);
        return true;
      },
      keep: async (_, images) => {
        kept.push([...images.keys()]);
        return { images: [], bytes: 0 };
      },
    },
  });
  assert.deepEqual(await store.ensure([image, 'b:1']), [image, 'b:1']);
  assert.deepEqual(
    exec.lines().flatMap((line) => line.match(/images pull .*?(\S+)$/)?.[1] ?? []),
    ['docker.io/library/b:1'],
  );
  const { missing } = await store.keep();
  assert.deepEqual(kept, [[image, 'docker.io/library/b:1']]);
  assert.deepEqual(missing, ['docker.io/library/b:1']);
  const { text } = await refusal(() => demandKept(missing));
  assert.match(text, /not kept: docker\.io\/library\/b:1\.\n.*IMAGE_CACHE_GB/);
});

test('where images are only held, one that is kept already is not touched, and the others come packed', async () => {
  const folder = await temporaryFolder();
  writeFileSync(join(folder, fileNameOf(image, digest)), 'as it was');
  const exec = fakeExec(() => ({}));
  const cache = createImageCache({ folder, limit });
  const store = createImageStore(exec, 'node', new AbortController().signal, { cache, onlyHold: true });
  assert.deepEqual(await store.ensure([image, 'b:1']), ['b:1']);
  assert.deepEqual(
    exec.lines().filter((line) => /fetch|pull|import/.test(line)),
    ['docker exec node ctr --namespace=k8s.io content fetch --hosts-dir /etc/containerd/certs.d docker.io/library/b:1'],
  );
  assert.equal(await readFile(join(folder, fileNameOf(image, digest)), 'utf8'), 'as it was');
});
