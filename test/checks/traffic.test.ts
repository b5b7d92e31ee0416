import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  dashboardsWithRequests,
  formatTrafficReport,
  percentile,
  trafficReport,
} from '../../scripts/checks/traffic/report.ts';
import {
  badPath,
  defaultPlan,
  goodPath,
  plannedPaths,
  readPlan,
  type SentRequest,
  sendStream,
} from '../../scripts/checks/traffic/stream.ts';
import { Interrupted } from '../../scripts/lib/errors.ts';
import { openRepository } from '../../scripts/repository/rendering/repository.ts';
import { refusal } from '../support/fakes.ts';

test('without flags it is gentle, and with them it stays so', async () => {
  assert.deepEqual(readPlan({}), { seconds: 60, rate: 5, errors: 5 });
  assert.deepEqual(readPlan({ seconds: 10, rate: '50', errors: '0' }), { seconds: 10, rate: 50, errors: 0 });
  const wrong = { rate: ['51', '0', 'fast', '1.5'], errors: ['101'], seconds: [3601] };
  for (const [name, values] of Object.entries(wrong))
    for (const value of values) {
      const { error, text } = await refusal(() => readPlan({ [name]: value }));
      assert.equal(error.exitCode, 2);
      assert.match(text, new RegExp(`--${name} .*from \\d to \\d+.*"${value}"[^]*npm run traffic -- --${name} `));
    }
});

for (const [errors, seconds, bad] of [
  [5, 40, [19, 39]],
  [0, 100, []],
  [100, 3, [0, 1, 2]],
  [50, 4, [1, 3]],
] as const)
  test(`${errors} % of ${seconds} requests fail at ${bad.join(', ') || 'none'}`, () => {
    const paths = [...plannedPaths({ seconds, rate: 1, errors })];
    const wanted = Array.from({ length: seconds }, (_, at) =>
      (bad as readonly number[]).includes(at) ? badPath : goodPath,
    );
    assert.deepEqual(paths, wanted);
  });

/** Sends `count` requests at a thousand a second. */
async function stream(
  count: number,
  answer: (path: string, nth: number) => Promise<object>,
  signal = new AbortController().signal,
) {
  const asked: string[] = [];
  const sent: SentRequest[] = [];
  const paths = plannedPaths({ seconds: count / 2, rate: 2, errors: 10 });
  const send = async (path: string) => answer(path, asked.push(path));
  await sendStream({ paths, rate: 1000, send, signal, sent });
  return { asked, sent };
}
const told = { url: 'https://api.localhost:8443', plan: defaultPlan, seconds: 4, interrupted: false };

test('every request is sent once, in order, and what has no answer is told with the reason', async () => {
  const { asked, sent } = await stream(50, async (path, nth) => {
    if (nth === 8) throw new TypeError('x is undefined');
    return nth === 7
      ? { missing: 'connection refused' }
      : { status: path === badPath ? 404 : 200, missing: 'not kept' };
  });
  assert.deepEqual(asked, [...plannedPaths({ seconds: 50, rate: 1, errors: 10 })]);
  assert.deepEqual(trafficReport(told, sent, []).answers, [
    { path: goodPath, status: 200, count: 43 },
    { path: badPath, status: 404, count: 5 },
    { path: goodPath, status: undefined, why: 'connection refused', count: 1 },
    { path: goodPath, status: undefined, why: 'x is undefined', count: 1 },
  ]);
});

test('it keeps the pace', async () => {
  const started = performance.now();
  const times: number[] = [];
  const { signal } = new AbortController();
  const send = async () => {
    times.push(performance.now() - started);
    return { status: 200 };
  };
  await sendStream({ paths: ['/', '/', '/', '/'], rate: 50, send, signal, sent: [] });
  assert(
    times.every((time, nth) => time >= nth * 20),
    times.join(),
  );
});

test('Ctrl-C ends it at once, and what was cut off counts for nothing', async () => {
  const controller = new AbortController();
  const { asked, sent } = await stream(
    Number.POSITIVE_INFINITY,
    async (_, nth) => {
      if (nth < 3) return { status: 200 };
      controller.abort();
      throw new Interrupted();
    },
    controller.signal,
  );
  assert.deepEqual([asked.length, sent.length], [3, 2]);
});

test('what waits for its turn when it is ended is not sent', async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const ended = once(signal, 'abort');
  const paths = function* () {
    yield* plannedPaths({ seconds: 60, rate: 1, errors: 0 });
    controller.abort();
  };
  let asked = 0;
  const send = async () => {
    asked += 1;
    await ended;
    return { status: 200 };
  };
  await sendStream({ paths: paths(), rate: 1000, send, signal, sent: [] });
  assert.equal(asked, 50);
});

test('a server that does not answer has no more than fifty requests open, and the others count from when they were due', async () => {
  let open = 0;
  let most = 0;
  let release = () => {};
  const hanging = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { sent } = await stream(100, async () => {
    open += 1;
    most = Math.max(most, open);
    if (open === 50) setTimeout(release, 150);
    await hanging;
    open -= 1;
    return { status: 200 };
  });
  assert.deepEqual([sent.length, most], [100, 50]);
  assert(sent.every(({ milliseconds }) => milliseconds > 50));
});

test('percentiles are values that were measured', () => {
  const values = Array.from({ length: 100 }, (_, index) => index + 1);
  const shares = [0.5, 0.9, 0.95, 0.99, 1].map((share) => percentile(values, share));
  assert.deepEqual([...shares, percentile([7], 0.5)], [50, 90, 95, 99, 100, 7]);
  assert.equal(trafficReport(told, [], []).latency, undefined);
});

test('the page tells what was sent, what came back, how fast, and who shows it', () => {
  const sent = [
    ...Array.from({ length: 19 }, () => ({ path: goodPath, status: 200, milliseconds: 4.25 })),
    { path: badPath, status: 404, milliseconds: 80.4 },
    { path: goodPath, status: 429, milliseconds: 1 },
  ];
  const shownBy = [{ title: 'Platform overview', url: 'https://grafana.localhost:8443/d/platform-overview' }];
  const report = trafficReport(told, sent, shownBy);
  assert.deepEqual(Object.keys(report), [
    ...['url', 'plan', 'seconds', 'interrupted', 'requests', 'answers', 'latency', 'shownBy'],
  ]);
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
  const shown = await dashboardsWithRequests(openRepository(root, tools), 'https://grafana');
  assert(shown.some(({ url }) => url === 'https://grafana/d/platform-overview'));
});
