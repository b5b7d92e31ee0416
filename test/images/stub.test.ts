import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../standins/server.mjs', import.meta.url));
const started: ChildProcess[] = [];
after(() => {
  for (const child of started) child.kill('SIGKILL');
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert(address !== null && typeof address === 'object');
  server.close();
  await once(server, 'close');
  return address.port;
}

/** Starts the program with these variables and nothing else of ours, and collects what it prints. */
function run(variables: Record<string, string>) {
  const child = spawn(process.execPath, [program], { env: variables, stdio: ['ignore', 'pipe', 'pipe'] });
  started.push(child);
  const printed = { text: '' };
  const firstLine = new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk) => {
      printed.text += chunk;
      if (printed.text.includes('\n')) resolve();
    });
  });
  child.stderr.on('data', (chunk) => {
    printed.text += chunk;
  });
  return { child, printed, firstLine, ended: once(child, 'close') };
}

async function serve(variables: Record<string, string>) {
  const port = String(await freePort());
  const service = run({ PORT: port, METRICS_PORT: port, APP_VERSION: 'abc1234', ...variables });
  await Promise.race([service.firstLine, service.ended]);
  assert.equal(service.child.exitCode, null, service.printed.text);
  const url = `http://127.0.0.1:${port}`;
  return { ...service, url, metrics: async () => (await fetch(`${url}/metrics`)).text() };
}

test('core-go answers health and info, says that it is a stand-in, and knows nothing else', async () => {
  const core = await serve({ SERVICE: 'core-go', ENV: 'test' });
  assert.match(core.printed.text, /core-go abc1234 .*stand-in/);
  const health = await fetch(`${core.url}/health`);
  assert.equal(health.status, 200);
  assert.deepEqual(await health.json(), { status: 'ok' });
  const info = await (await fetch(`${core.url}/info?a=b`)).json();
  assert.deepEqual(info, { service: 'core-go', env: 'test', version: 'abc1234', standIn: true });
  assert.equal((await fetch(`${core.url}/nothing`)).status, 404);
  assert.equal((await fetch(`${core.url}/info`, { method: 'DELETE' })).status, 405);
  assert.equal((await fetch(`${core.url}/constructor`)).status, 404);
});

test('api-node passes on what core-go says', async () => {
  const core = await serve({ SERVICE: 'core-go', ENV: 'test' });
  const api = await serve({ SERVICE: 'api-node', CORE_GO_BASE_URL: `${core.url}/` });
  const answer = await fetch(`${api.url}/info`);
  assert.equal(answer.status, 200);
  assert.deepEqual(await answer.json(), {
    gateway: 'api-node',
    version: 'abc1234',
    standIn: true,
    upstream: { service: 'core-go', env: 'test', version: 'abc1234', standIn: true },
  });
});

test('api-node keeps no connection to core-go: a pod that drains would take it along when it dies', async () => {
  let connections = 0;
  const core = createHttpServer((_, response) => response.end('{}')).listen(0, '127.0.0.1');
  core.on('connection', () => connections++);
  await once(core, 'listening');
  const { port } = core.address() as AddressInfo;
  const api = await serve({ SERVICE: 'api-node', CORE_GO_BASE_URL: `http://127.0.0.1:${port}` });
  for (let request = 0; request < 3; request++) assert.equal((await fetch(`${api.url}/info`)).status, 200);
  core.close();
  assert.equal(connections, 3);
});

test('api-node answers 502 when core-go is gone, and when it is silent for two seconds', async () => {
  const gone = await serve({ SERVICE: 'api-node', CORE_GO_BASE_URL: `http://127.0.0.1:${await freePort()}` });
  const answer = await fetch(`${gone.url}/info`);
  assert.equal(answer.status, 502);
  const body = (await answer.json()) as { error: string; message: string };
  assert.equal(body.error, 'Bad Gateway');
  assert.match(body.message, /ECONNREFUSED/);
  assert.equal((await fetch(`${gone.url}/health`)).status, 200, 'its own health does not depend on core-go');

  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const address = silent.address();
  assert(address !== null && typeof address === 'object');
  const waiting = await serve({ SERVICE: 'api-node', CORE_GO_BASE_URL: `http://127.0.0.1:${address.port}` });
  const start = performance.now();
  assert.equal((await fetch(`${waiting.url}/info`)).status, 502);
  const took = performance.now() - start;
  assert(took > 1500 && took < 10_000, `took ${took} ms`);
  silent.close();
});

test('the tag "broken" never gets healthy', async () => {
  const core = await serve({ SERVICE: 'core-go', APP_VERSION: 'broken' });
  assert.equal((await fetch(`${core.url}/health`)).status, 500);
  assert.equal((await fetch(`${core.url}/info`)).status, 200);
});

test('requests are counted and timed, with few label values whatever is asked for', async () => {
  const core = await serve({ SERVICE: 'core-go' });
  await fetch(`${core.url}/info`);
  await fetch(`${core.url}/info`);
  for (let i = 0; i < 5; i++) await fetch(`${core.url}/made-up/${i}`);
  await fetch(`${core.url}/info`, { method: 'PROPFIND' });
  const answer = await fetch(`${core.url}/metrics`);
  assert.match(answer.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  const text = await answer.text();
  const expected = [
    '# HELP http_requests_total Total number of HTTP requests',
    '# TYPE http_requests_total counter',
    'http_requests_total{method="GET",path="/info",status="OK"} 2',
    'http_requests_total{method="GET",path="other",status="Not Found"} 5',
    'http_requests_total{method="other",path="/info",status="Method Not Allowed"} 1',
    '# TYPE http_request_duration_seconds histogram',
    'http_request_duration_seconds_bucket{method="GET",path="/info",le="10"} 2',
    'http_request_duration_seconds_bucket{method="GET",path="/info",le="+Inf"} 2',
    'http_request_duration_seconds_count{method="GET",path="/info"} 2',
  ];
  for (const line of expected) assert(text.split('\n').includes(line), `${line}\nis not in\n${text}`);
  for (const name of ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'process_start_time_seconds']) {
    assert.match(text, new RegExp(`^${name} [0-9.e+]+$`, 'm'));
  }
  assert.doesNotMatch(text, /made-up|PROPFIND/);
  assert.match(text, /\n$/, 'the format ends each line, the last one too');
  for (const line of text.trimEnd().split('\n')) {
    assert.match(line, /^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{([a-z]+="[^"]*",?)+\})? [0-9.e+-]+)$/);
  }
});

test('api-node counts by number, and health and info under one path, as the real one does', async () => {
  const api = await serve({ SERVICE: 'api-node', CORE_GO_BASE_URL: `http://127.0.0.1:${await freePort()}` });
  await fetch(`${api.url}/health`);
  await fetch(`${api.url}/health`);
  await fetch(`${api.url}/info`);
  await fetch(`${api.url}/made-up`);
  await api.metrics();
  const lines = (await api.metrics()).split('\n');
  for (const line of [
    'http_requests_total{method="GET",path="/",status="200"} 2',
    'http_requests_total{method="GET",path="/",status="502"} 1',
    'http_requests_total{method="GET",path="other",status="404"} 1',
    'http_requests_total{method="GET",path="/metrics",status="200"} 1',
    'http_request_duration_seconds_count{method="GET",path="/",status="502"} 1',
  ])
    assert(lines.includes(line), `${line}\nis not in\n${lines.join('\n')}`);
});

test('worker-python works off jobs and answers every path with its metrics', async () => {
  const worker = await serve({ SERVICE: 'worker-python', JOB_INTERVAL_SECONDS: '1' });
  const jobs = async (path: string) =>
    Number(/^worker_jobs_processed_total (\d+)$/m.exec(await (await fetch(worker.url + path)).text())?.[1]);
  const first = await jobs('/');
  assert(first >= 1);
  const deadline = Date.now() + 10_000;
  while ((await jobs('/any/path')) <= first) {
    assert(Date.now() < deadline, 'no job was done');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.doesNotMatch(await worker.metrics(), /http_requests_total/);
});

test('SIGTERM ends core-go by itself, even with a connection kept open', async () => {
  const core = await serve({ SERVICE: 'core-go' });
  await (await fetch(`${core.url}/health`, { headers: { connection: 'keep-alive' } })).text();
  core.child.kill('SIGTERM');
  assert.deepEqual(await core.ended, [0, null], core.printed.text);
});

// Without a handler, process 1 of a container ignores the signal. This process is none, so the kernel ends it.
for (const variables of [{ SERVICE: 'api-node', CORE_GO_BASE_URL: 'http://core-go' }, { SERVICE: 'worker-python' }]) {
  test(`${variables.SERVICE} does not handle SIGTERM`, async () => {
    const service = await serve(variables);
    service.child.kill('SIGTERM');
    assert.deepEqual(await service.ended, [null, 'SIGTERM'], service.printed.text);
  });
}

const mistakes: [string, Record<string, string>, RegExp][] = [
  ['an unknown service', { SERVICE: 'toString' }, /SERVICE must be one of api-node, core-go, worker-python/],
  ['no service', {}, /SERVICE must be one of/],
  ['api-node without an upstream', { SERVICE: 'api-node' }, /CORE_GO_BASE_URL is not set/],
  ['a port that is none', { SERVICE: 'core-go', PORT: '80a' }, /PORT is not a number/],
  ['an interval that is none', { SERVICE: 'worker-python', JOB_INTERVAL_SECONDS: 'ten' }, /JOB_INTERVAL_SECONDS/],
];
for (const [what, variables, message] of mistakes) {
  test(`${what} ends it with one sentence`, async () => {
    const wrong = run(variables);
    const [code] = await wrong.ended;
    assert.equal(code, 1);
    assert.match(wrong.printed.text, message);
    assert.equal(wrong.printed.text.trimEnd().split('\n').length, 1, wrong.printed.text);
  });
}
