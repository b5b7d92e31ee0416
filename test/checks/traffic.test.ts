import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  dashboardsWithRequests,
  formatTrafficReport,
  percentile,
  statisticsOf,
  trafficReport,
} from '../../scripts/checks/traffic/report.ts';
import {
  badPath,
  defaultPlan,
  goodPath,
  readPlan,
  requestPath,
  sendStream,
} from '../../scripts/checks/traffic/stream.ts';
import { Interrupted } from '../../scripts/lib/errors.ts';
import { openRepository } from '../../scripts/repository/rendering/repository.ts';
import { refusal } from '../support/fakes.ts';

const { signal } = new AbortController();

test('without flags it is gentle, and with them it stays so', async () => {
  assert.deepEqual(readPlan({}), { seconds: 60, rate: 5, errors: 5 });
  assert.deepEqual(readPlan({ seconds: 10, rate: '50', errors: '0' }), { seconds: 10, rate: 50, errors: 0 });
  for (const flags of [
    { rate: '51' },
    { rate: '0' },
    { rate: 'fast' },
    { errors: '101' },
    { seconds: 3601 },
    { rate: '1.5' },
  ]) {
    const { error, text } = await refusal(() => readPlan(flags));
    assert.equal(error.exitCode, 2);
    const [name, value] = Object.entries(flags)[0] ?? [];
    assert.match(
      text,
      new RegExp(`--${name} takes a whole number from \\d to \\d+, not "${value}"[^]*npm run traffic -- --${name} `),
    );
  }
});

const shares: [errors: number, requests: number, bad: number[]][] = [
  [5, 40, [19, 39]],
  [0, 100, []],
  [100, 3, [0, 1, 2]],
  [50, 4, [1, 3]],
];
for (const [errors, requests, bad] of shares) {
  test(`${errors} % of ${requests} requests fail at ${bad.join(', ') || 'none'}`, () => {
    const paths = Array.from({ length: requests }, (_, index) => requestPath(index, { ...defaultPlan, errors }));
    assert.deepEqual(
      paths.flatMap((path, index) => (path === badPath ? [index] : [])),
      bad,
    );
    assert(paths.every((path) => path === badPath || path === goodPath));
  });
}

test('every request of the plan is sent once, in order, and what has no answer is told with the reason', async () => {
  const asked: string[] = [];
  const plan = { seconds: 1, rate: 50, errors: 10 };
  const { sent, interrupted } = await sendStream(
    plan,
    async (path) => {
      asked.push(path);
      if (asked.length === 7) throw new Error('connection refused');
      return path === badPath ? 404 : 200;
    },
    signal,
  );
  assert.deepEqual(
    asked,
    Array.from({ length: 50 }, (_, index) => requestPath(index, plan)),
  );
  assert.equal(interrupted, false);
  assert.deepEqual(statisticsOf(sent).answers, [
    { path: goodPath, status: 200, count: 44 },
    { path: badPath, status: 404, count: 5 },
    { path: goodPath, status: undefined, why: 'connection refused', count: 1 },
  ]);
});

test('Ctrl-C ends it at once, and what was cut off counts for nothing', async () => {
  const controller = new AbortController();
  let asked = 0;
  const stream = await sendStream(
    { seconds: 3600, rate: 50, errors: 0 },
    async () => {
      asked += 1;
      if (asked < 3) return 200;
      controller.abort();
      throw new Interrupted();
    },
    controller.signal,
  );
  assert.equal(stream.interrupted, true);
  assert.equal(stream.sent.length, 2);
});

test('a server that does not answer has no more than fifty requests open', async () => {
  let open = 0;
  let most = 0;
  let release = () => {};
  const hanging = new Promise<void>((resolve) => {
    release = resolve;
  });
  const running = sendStream(
    { seconds: 2, rate: 50, errors: 0 },
    async () => {
      open += 1;
      most = Math.max(most, open);
      if (open === 50) setTimeout(release, 100);
      await hanging;
      open -= 1;
      return 200;
    },
    signal,
  );
  assert.equal((await running).sent.length, 100);
  assert.equal(most, 50);
});

test('percentiles are values that were measured', () => {
  const values = Array.from({ length: 100 }, (_, index) => index + 1);
  assert.deepEqual(
    [0.5, 0.9, 0.95, 0.99, 1].map((share) => percentile(values, share)),
    [50, 90, 95, 99, 100],
  );
  assert.equal(percentile([7], 0.5), 7);
  assert.equal(statisticsOf([]).latency, undefined);
});

test('the page tells what was sent, what came back, how fast, and who shows it', () => {
  const sent = [
    ...Array.from({ length: 19 }, () => ({ path: goodPath, status: 200, milliseconds: 4.25 })),
    { path: badPath, status: 404, milliseconds: 80.4 },
    { path: goodPath, status: 429, milliseconds: 1 },
  ];
  const stream = { sent, seconds: 4, interrupted: false };
  const shown = [{ uid: 'platform-overview', title: 'Platform overview', queries: 3 }];
  const report = trafficReport(
    'https://api.localhost:8443',
    defaultPlan,
    stream,
    shown,
    'https://grafana.localhost:8443',
  );
  const text = formatTrafficReport(report);
  for (const line of [
    'Sent 21 requests to https://api.localhost:8443 in 4.0 s (5.3 a second).',
    '  19 times 200  /info',
    '  1 times 404   /no-such-page: the 5 % that were meant to fail',
    '  Latency: p50 4.3 ms, p90 4.3 ms, p95 4.3 ms, p99 80 ms, max 80 ms',
    '  Platform overview  https://grafana.localhost:8443/d/platform-overview',
  ])
    assert(text.split('\n').includes(line), `${line} in\n${text}`);
  assert.match(text, /429 is the limit of the Ingress/);
  assert.match(formatTrafficReport({ ...report, interrupted: true }), /^Interrupted: sent 21 requests/);
});

test('the dashboards that show requests are found by what their queries ask for', async () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const tools = {
    exec: () => assert.fail('no program is run for it'),
    find: () => assert.fail('no tool is needed for it'),
  };
  const shown = await dashboardsWithRequests(openRepository(root, tools));
  assert(shown.some(({ uid, queries }) => uid === 'platform-overview' && queries > 2));
});
