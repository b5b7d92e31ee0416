import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../standins/server.mjs', import.meta.url));
const running = new Set<{ kill(signal: 'SIGKILL'): boolean }>();
after(() => {
  for (const child of running) child.kill('SIGKILL');
});

/** Starts the program with these variables and nothing else of ours, and collects what it prints. */
function run(variables: Record<string, string>) {
  const child = spawn(process.execPath, [program], { env: variables, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
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

/** Starts it at a port that the system chooses, which is what it says when it listens. */
async function serve(variables: Record<string, string>) {
  const service = run({ PORT: '0', METRICS_PORT: '0', APP_VERSION: 'abc1234', ...variables });
  await Promise.race([service.firstLine, service.ended]);
  const [, port] = service.printed.text.match(/ on :(\d+) /) ?? assert.fail(service.printed.text);
  const ask = (path: string, options?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, options);
  const lines = async (path = '/metrics') => (await (await ask(path)).text()).split('\n');
  return { ...service, port, ask, lines };
}

async function listening(server: Server): Promise<string> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function assertLines(lines: readonly string[], expected: readonly string[]) {
  for (const line of expected) assert(lines.includes(line), `${line}\nis not in\n${lines.join('\n')}`);
}

// Side by side: most of the time is that of processes that start, and of the two seconds for which api-node waits.
describe('a stub', { concurrency: true }, () => {
  test('core-go answers health and info, says that it is a stand-in, knows nothing else, and ends on SIGTERM by itself', async () => {
    const core = await serve({ SERVICE: 'core-go', ENV: 'test' });
    assert.match(core.printed.text, /core-go abc1234 .*stand-in/);
    const health = await core.ask('/health', { headers: { connection: 'keep-alive' } });
    assert.deepEqual([health.status, await health.json()], [200, { status: 'ok' }]);
    const info = await (await core.ask('/info?a=b')).json();
    assert.deepEqual(info, { service: 'core-go', env: 'test', version: 'abc1234', standIn: true });
    assert.equal((await core.ask('/nothing')).status, 404);
    assert.equal((await core.ask('/info', { method: 'DELETE' })).status, 405);
    assert.equal((await core.ask('/constructor')).status, 404);
    // Also with that connection kept open.
    core.child.kill('SIGTERM');
    assert.deepEqual(await core.ended, [0, null], core.printed.text);
  });

  test('api-node passes on what core-go says without keeping a connection, and answers 502 when that is silent or gone', async () => {
    let [connections, answer] = [0, (response: ServerResponse) => response.end('{"service":"core-go"}')];
    const core = createServer((_, response) => answer(response)).on('connection', () => connections++);
    const api = await serve({ SERVICE: 'api-node', CORE_GO_BASE_URL: `${await listening(core)}/` });
    const told = { gateway: 'api-node', version: 'abc1234', standIn: true, upstream: { service: 'core-go' } };
    for (let request = 0; request < 3; request++) assert.deepEqual(await (await api.ask('/info')).json(), told);
    assert.equal(connections, 3, 'a pod that drains would take a kept connection along when it dies');
    answer = (response) => response;
    const start = performance.now();
    assert.equal((await api.ask('/info')).status, 502);
    const took = performance.now() - start;
    assert(took > 1500 && took < 10_000, `took ${took} ms`);
    core.close().closeAllConnections();
    const gone = await api.ask('/info');
    const { error, message } = (await gone.json()) as { error: string; message: string };
    assert.deepEqual([gone.status, error, /ECONNREFUSED/.test(message)], [502, 'Bad Gateway', true]);
    for (let request = 0; request < 2; request++)
      assert.equal((await api.ask('/health')).status, 200, 'its own health does not depend on core-go');
    await api.ask('/made-up');
    await api.lines();
    // By number, and health and info under one path, as the real one does.
    assertLines(await api.lines(), [
      'http_requests_total{method="GET",path="/",status="200"} 5',
      'http_requests_total{method="GET",path="/",status="502"} 2',
      'http_requests_total{method="GET",path="other",status="404"} 1',
      'http_requests_total{method="GET",path="/metrics",status="200"} 1',
      'http_request_duration_seconds_count{method="GET",path="/",status="502"} 2',
    ]);
    // Without a handler, process 1 of a container ignores the signal. This process is none, so the kernel ends it.
    api.child.kill('SIGTERM');
    assert.deepEqual(await api.ended, [null, 'SIGTERM'], api.printed.text);
  });

  test('the tag "broken" never gets healthy', async () => {
    const core = await serve({ SERVICE: 'core-go', APP_VERSION: 'broken' });
    assert.deepEqual([(await core.ask('/health')).status, (await core.ask('/info')).status], [500, 200]);
  });

  test('requests are counted and timed, with few label values whatever is asked for', async () => {
    const core = await serve({ SERVICE: 'core-go' });
    for (const path of ['/info', '/info', ...Array.from({ length: 5 }, (_, i) => `/made-up/${i}`)])
      await core.ask(path);
    await core.ask('/info', { method: 'PROPFIND' });
    const answer = await core.ask('/metrics');
    assert.match(answer.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
    const text = await answer.text();
    assertLines(text.split('\n'), [
      '# HELP http_requests_total Total number of HTTP requests',
      '# TYPE http_requests_total counter',
      'http_requests_total{method="GET",path="/info",status="OK"} 2',
      'http_requests_total{method="GET",path="other",status="Not Found"} 5',
      'http_requests_total{method="other",path="/info",status="Method Not Allowed"} 1',
      '# TYPE http_request_duration_seconds histogram',
      'http_request_duration_seconds_bucket{method="GET",path="/info",le="10"} 2',
      'http_request_duration_seconds_bucket{method="GET",path="/info",le="+Inf"} 2',
      'http_request_duration_seconds_count{method="GET",path="/info"} 2',
    ]);
    for (const name of ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'process_start_time_seconds'])
      assert.match(text, new RegExp(`^${name} [0-9.e+]+$`, 'm'));
    assert.doesNotMatch(text, /made-up|PROPFIND/);
    assert.match(text, /\n$/, 'the format ends each line, the last one too');
    for (const line of text.trimEnd().split('\n'))
      assert.match(line, /^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{([a-z]+="[^"]*",?)+\})? [0-9.e+-]+)$/);
  });

  test('worker-python works off jobs, answers every path with its metrics, and does not handle SIGTERM', async () => {
    const worker = await serve({ SERVICE: 'worker-python', JOB_INTERVAL_SECONDS: '1' });
    const jobs = async (path: string) =>
      Number((await worker.lines(path)).find((line) => line.startsWith('worker_jobs_processed_total '))?.split(' ')[1]);
    const first = await jobs('/');
    assert(first >= 1);
    const deadline = Date.now() + 10_000;
    while ((await jobs('/any/path')) <= first) {
      assert(Date.now() < deadline, 'no job was done');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert(!(await worker.lines()).some((line) => line.includes('http_requests_total')));
    worker.child.kill('SIGTERM');
    assert.deepEqual(await worker.ended, [null, 'SIGTERM'], worker.printed.text);
  });

  test('one of another name is what its variables make it, or a service like core-go', async () => {
    const METRICS_PORT = '';
    const plain = await serve({ SERVICE: 'toString', METRICS_PORT });
    assert.match(await (await plain.ask('/info')).text(), /"service":"toString"/);
    const asks = await serve({ SERVICE: 'gateway', METRICS_PORT, CORE_GO_BASE_URL: `http://127.0.0.1:${plain.port}` });
    assert.match(await (await asks.ask('/info')).text(), /"upstream":\{"service":"toString"/);
    assert((await (await serve({ SERVICE: 'jobs' })).lines()).some((line) => line.startsWith('worker_jobs')));
  });

  const mistakes: [string, Record<string, string>, RegExp][] = [
    ['no service', {}, /SERVICE is not set/],
    ['api-node without an upstream', { SERVICE: 'api-node' }, /CORE_GO_BASE_URL is not set/],
    ['a port that is none', { SERVICE: 'core-go', PORT: '80a' }, /PORT is not a number/],
    ['an interval that is none', { SERVICE: 'worker-python', JOB_INTERVAL_SECONDS: 'ten' }, /JOB_INTERVAL_SECONDS/],
  ];
  for (const [what, variables, message] of mistakes) {
    test(`${what} ends it with one sentence`, async () => {
      const wrong = run(variables);
      assert.equal((await wrong.ended)[0], 1);
      assert.match(wrong.printed.text, message);
      assert.equal(wrong.printed.text.trimEnd().split('\n').length, 1, wrong.printed.text);
    });
  }
});
