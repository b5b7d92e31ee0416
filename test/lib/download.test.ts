import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, test } from 'node:test';
import { type DownloadOptions, download, fetchText } from '../../scripts/lib/http/download.ts';
import { toDownloadError } from '../../scripts/lib/http/download-error.ts';

const content = Buffer.from('a tool, say\n'.repeat(5_000));
const sha256 = createHash('sha256').update(content).digest('hex');

let cacheDir: string;
let origin: string;
let requests: string[];
/** What the server does with the next requests; the last one stays. */
let answers: RequestListener[];

const whole: RequestListener = (_, response) => response.end(content);
const status =
  (code: number): RequestListener =>
  (_, response) =>
    response.writeHead(code).end();
const brokenOff: RequestListener = (_, response) => {
  response.writeHead(200, { 'content-length': content.length });
  response.write(content.subarray(0, 100), () => response.destroy());
};
const stalled: RequestListener = (_, response) => {
  response.writeHead(200, { 'content-length': content.length }).write(content.subarray(0, 100));
};

const server: Server = createServer((request, response) => {
  requests.push(request.url ?? '');
  const answer = answers.length > 1 ? answers.shift() : answers[0];
  answer?.(request, response);
});
const listening = new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

beforeEach(async () => {
  await listening;
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  cacheDir = join(await mkdtemp(join(tmpdir(), 'download-test-')), 'cache');
  requests = [];
  answers = [whole];
});
afterEach(async () => {
  server.closeAllConnections();
  await rm(join(cacheDir, '..'), { recursive: true, force: true });
});
after(() => server.close());

const options = (changes: Partial<DownloadOptions> = {}): DownloadOptions => ({
  url: `${origin}/release/tool`,
  sha256,
  cacheDir,
  fileName: 'tool',
  signal: new AbortController().signal,
  idleTimeout: 5_000,
  retryDelays: [1, 1],
  ...changes,
});

test('a file arrives whole, whatever the umask, and the second use asks nobody', async () => {
  const umask = process.umask(0o077);
  const path = await download(options()).finally(() => process.umask(umask));
  assert.deepEqual(await readFile(path), content);
  assert.equal((await stat(path)).mode & 0o777, 0o644);
  assert.equal(await download(options()), path);
  assert.equal(requests.length, 1);
});

test('a cached file that was tampered with is fetched again', async () => {
  const path = await download(options());
  await writeFile(path, 'something else');
  assert.deepEqual(await readFile(await download(options())), content);
  assert.equal(requests.length, 2);
});

const passing: { name: string; first: RequestListener }[] = [
  { name: 'a 503', first: status(503) },
  { name: 'a connection that breaks off', first: brokenOff },
  { name: 'a server that falls silent', first: stalled },
];
for (const { name, first } of passing) {
  test(`${name} is tried again`, async () => {
    answers = [first, whole];
    assert.deepEqual(await readFile(await download(options({ idleTimeout: 300 }))), content);
    assert.equal(requests.length, 2);
    assert.deepEqual(await readdir(cacheDir), ['tool']);
  });
}

const failing: { name: string; answer: RequestListener; says: RegExp; problem: string; tries: number }[] = [
  { name: 'a 404', answer: status(404), says: /HTTP 404/, problem: 'status', tries: 1 },
  { name: 'a lasting 503', answer: status(503), says: /HTTP 503/, problem: 'status', tries: 3 },
  { name: 'lasting silence', answer: stalled, says: /ETIMEDOUT/, problem: 'unreachable', tries: 3 },
  { name: 'a lasting break', answer: brokenOff, says: /UND_ERR|ECONNRESET/, problem: 'unreachable', tries: 3 },
  {
    name: 'another content',
    answer: (_, response) => response.end('forged'),
    says: new RegExp(`${createHash('sha256').update('forged').digest('hex')}.*${sha256}`),
    problem: 'checksum',
    tries: 1,
  },
];
for (const { name, answer, says, problem, tries } of failing) {
  test(`${name} is a failure that names host and reason, after ${tries} tries, and leaves nothing`, async () => {
    answers = [answer];
    await assert.rejects(
      download(options({ idleTimeout: 100 })),
      (error: Error & { problem: string; hint: string }) => {
        assert.match(error.message, /tool from 127\.0\.0\.1:\d+/);
        assert.match(error.message, says);
        assert.equal(error.problem, problem);
        assert.ok(error.hint.length > 0);
        return true;
      },
    );
    assert.equal(requests.length, tries);
    assert.deepEqual(await readdir(cacheDir), []);
  });
}

const codes: [code: string, problem: string, says: RegExp][] = [
  ['ENOTFOUND', 'unreachable', /ENOTFOUND/],
  ['EAI_AGAIN', 'unreachable', /EAI_AGAIN/],
  ['ENETUNREACH', 'unreachable', /ENETUNREACH/],
  ['UND_ERR_CONNECT_TIMEOUT', 'unreachable', /UND_ERR_CONNECT_TIMEOUT/],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'unreachable', /(SELF|LEAF)_SIGN/],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'unreachable', /(SELF|LEAF)_SIGN/],
  ['ENOSPC', 'storage', /ENOSPC/],
];
for (const [code, problem, says] of codes) {
  test(`${code} is told apart`, () => {
    const error = new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) });
    const failure = toDownloadError('https://example.org/tool', error);
    assert.equal(failure.problem, problem);
    assert.match(failure.message, says);
  });
}

test('a port where nobody listens refused the connection', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  await new Promise((resolve) => other.close(resolve));
  const url = `http://127.0.0.1:${port}/tool`;
  await assert.rejects(download(options({ url })), { problem: 'unreachable', message: /ECONNREFUSED/ });
});

test('plain HTTP behind an https address is a TLS failure, tried once', async () => {
  const url = `${origin.replace('http:', 'https:')}/tool`;
  await assert.rejects(download(options({ url })), { problem: 'unreachable', hint: /NODE_EXTRA_CA_CERTS/ });
});

test('a folder that cannot be made is a storage failure', async () => {
  await writeFile(cacheDir, 'a file where the folder should be');
  await assert.rejects(download(options()), { problem: 'storage' });
  assert.equal(requests.length, 0);
});

test('each further try is told with its reason', async () => {
  const told: string[] = [];
  answers = [status(503), brokenOff, whole];
  await download(options({ onRetry: (why) => void told.push(why) }));
  assert.equal(told.length, 2);
  assert.match(told[0] ?? '', /^Could not download tool from 127\.0\.0\.1:\d+: it answered HTTP 503\.$/);
  assert.match(told[1] ?? '', /the connection broke off/);
});

test('a file that comes too slowly is given up when its time is over, though bytes go on coming', async () => {
  let timer: NodeJS.Timeout | undefined;
  answers = [
    (_, response) => {
      response.writeHead(200, { 'content-length': content.length });
      timer = setInterval(() => response.write('x'), 20);
      response.on('close', () => clearInterval(timer));
    },
  ];
  await assert.rejects(download(options({ timeout: 300 })), {
    problem: 'unreachable',
    hint: /--timeout/,
  });
  assert.deepEqual([requests.length, await readdir(cacheDir)], [1, []]);
});

test('an abort in the middle interrupts and leaves nothing', async () => {
  const controller = new AbortController();
  answers = [
    (request, response) => {
      stalled(request, response);
      setTimeout(() => controller.abort(), 50);
    },
  ];
  const started = download(options({ signal: controller.signal }));
  await assert.rejects(started, { name: 'Interrupted' });
  assert.deepEqual(await readdir(cacheDir), []);
  assert.equal(requests.length, 1);
});

test('an abort between two tries does not wait for the next', async () => {
  const controller = new AbortController();
  answers = [status(503)];
  const started = download(options({ signal: controller.signal, retryDelays: [60_000] }));
  setTimeout(() => controller.abort(), 50);
  await assert.rejects(started, { name: 'Interrupted' });
});

test('downloads side by side do not harm each other', async () => {
  const paths = await Promise.all([1, 2, 3, 4].map(() => download(options())));
  assert.equal(new Set(paths).size, 1);
  assert.deepEqual(await readFile(paths[0] as string), content);
  assert.deepEqual(await readdir(cacheDir), ['tool']);
});

test('what a killed process left is cleared away, a running download is not', async () => {
  await download(options());
  for (const name of ['.tool.old.part', '.tool.running.part']) await writeFile(join(cacheDir, name), 'half');
  await utimes(join(cacheDir, '.tool.old.part'), 0, 0);
  await writeFile(join(cacheDir, 'tool'), 'tampered');
  await download(options());
  assert.deepEqual((await readdir(cacheDir)).sort(), ['.tool.running.part', 'tool']);
});

test('a text is fetched, and tried again like a file', async () => {
  answers = [status(502), (_, response) => response.end(`${sha256}  tool\n`)];
  assert.equal(await fetchText(options()), `${sha256}  tool\n`);
  assert.equal(requests.length, 2);
});
