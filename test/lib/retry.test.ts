import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Unreachable } from '../../scripts/kubernetes/api/api.ts';
import { createKubectl } from '../../scripts/kubernetes/kubectl.ts';
import { Interrupted } from '../../scripts/lib/errors.ts';
import { startDeadline, startStopwatch, waitUntil, withRetry } from '../../scripts/lib/retry.ts';
import { fakeExec, refusal } from '../support/fakes.ts';

const signal = new AbortController().signal;
const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'b' } };

/** An API server that can't say what would change, and says of itself whether it is starting. */
const askedApi = (isStarting: boolean) => ({
  time: async () => Date.now(),
  starting: async () => isStarting,
  dryRunMetadata: () => Promise.reject(new Unreachable('silent')),
});

/** A kubectl whose first calls fail with these texts. */
function failing(stderrs: string[], patience = 5000, isStarting = true) {
  const told: string[] = [];
  const exec = fakeExec(() => {
    const stderr = stderrs.shift();
    return stderr === undefined ? {} : { exitCode: 1, stderr };
  });
  const retry = { patience, signal, onRetry: (why: string) => void told.push(why), every: 1 };
  return {
    told,
    exec,
    ...createKubectl(exec, 'kubectl', '/x/kubeconfig', 'kind-x', { retry, api: () => askedApi(isStarting) }),
  };
}

const passing = [
  'The connection to the server 127.0.0.1:40000 was refused - did you specify the right host or port?',
  'Unable to connect to the server: net/http: TLS handshake timeout',
  'Unable to connect to the server: EOF',
  'Error from server: etcdserver: leader changed',
  'Error from server (ServiceUnavailable): the server is currently unable to handle the request',
  'Error from server (InternalError): Internal error occurred: failed calling webhook "validate.nginx.ingress.kubernetes.io"',
  'Error from server (Forbidden): unable to create new content in namespace b because it is being terminated',
  'Error from server (Forbidden): namespaces "a" is forbidden: User "kubernetes-admin" cannot patch resource "namespaces"',
  'Error from server (Forbidden): pods "a" is forbidden: error looking up service account b/default: serviceaccount "default" not found',
];
for (const stderr of passing) {
  test(`applying goes on after: ${stderr.slice(0, 70)}`, async () => {
    const { apply, told, exec } = failing([stderr, stderr]);
    await apply([object]);
    assert.equal(exec.calls.length, 3);
    assert.deepEqual(told, [stderr]);
  });
}

test('a right that the login lacks is told at once, with the login and what to do, unless the API server starts', async () => {
  const [line = ''] = passing.filter((one) => one.includes('User "kubernetes-admin"'));
  const failed = failing(Array(1000).fill(line), 60_000, false);
  const { text } = await refusal(() => failed.apply([object]));
  assert.match(text, /User "kubernetes-admin" cannot patch.*\n.*kubernetes-admin lacks that right .*can-i --list/);
  assert.equal(failed.exec.calls.length, 2, 'the first refusal may be older than the look at the API server');
  const once = failing([line], 60_000, false);
  await once.run(['delete', '-f', '-']);
  assert.equal(once.exec.calls.length, 2);
});

test('any other command is tried again while the API server restarts, but not for a webhook', async () => {
  const restarting = failing(passing.slice(0, 2));
  await restarting.run(['delete', '-f', '-']);
  assert.deepEqual([restarting.exec.calls.length, restarting.told], [3, passing.slice(0, 2)]);
  const webhook = failing(['Error from server (InternalError): failed calling webhook "x"']);
  await assert.rejects(webhook.run(['delete', '-f', '-']), /failed calling webhook/);
  const asked = failing(passing.slice(0, 1));
  assert.equal((await asked.run(['create'], { nothrow: true })).exitCode, 1, 'who asks is told at once');
});

test('a refusal that stays is told at once, and a webhook that never answers in time', async () => {
  const invalid = 'The ConfigMap "a" is invalid: data: Invalid value: 7';
  const one = failing([invalid]);
  assert.match((await refusal(() => one.apply([object]))).text, /is invalid/);
  assert.deepEqual([one.told, one.exec.calls.length], [[], 1]);
  const webhook = 'failed calling webhook "x": no endpoints available';
  const other = failing(
    Array.from({ length: 1000 }, () => webhook),
    30,
  );
  assert.match((await refusal(() => other.apply([object]))).text, /no endpoints available/);
});

test('an interruption ends the pause between two tries', async () => {
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 50);
  const retry = { patience: 60_000, signal: controller.signal, onRetry: () => {}, every: 60_000 };
  await assert.rejects(
    withRetry(
      () => Promise.reject(new Error('x')),
      () => 'it passes',
      retry,
    ),
    Interrupted,
  );
});

test('waiting is over with the first look that finds nothing missing', async () => {
  const looks = ['two pods', 'one pod', undefined, 'never asked'];
  let count = 0;
  assert.equal(await waitUntil(async () => looks[count++], { timeout: 5000, signal, every: 1 }), undefined);
  assert.equal(count, 3);
});

test('what is there at the first look is not waited for, even without any time', async () => {
  await waitUntil(async () => undefined, { timeout: 0, signal, every: 60_000 });
});

test('after the deadline it says what was missing last', async () => {
  let count = 0;
  const missing = await waitUntil(async () => `look ${++count}`, { timeout: 20, signal, every: 1 });
  assert(count > 1 && missing === `look ${count}`, missing);
});

test('an error of the look is not waited out', async () => {
  const broken = new Error('broken');
  await assert.rejects(
    waitUntil(() => Promise.reject(broken), { timeout: 5000, signal, every: 1 }),
    (error) => error === broken,
  );
});

test('an interruption ends the pause between two looks', async () => {
  const controller = new AbortController();
  const look = async () => {
    setImmediate(() => controller.abort());
    return 'a pod';
  };
  const started = Date.now();
  await assert.rejects(waitUntil(look, { timeout: 60_000, signal: controller.signal, every: 60_000 }), Interrupted);
  assert(Date.now() - started < 5000);
});

test('after an interruption nothing is looked at', async () => {
  const look = () => assert.fail('looked');
  await assert.rejects(waitUntil(look, { timeout: 5000, signal: AbortSignal.abort() }), Interrupted);
});

test('a machine that slept has not waited: a look that took hours counts as a minute', async (context) => {
  let now = 0;
  context.mock.method(performance, 'now', () => now);
  let count = 0;
  const look = async () => {
    now += 3_600_000;
    count += 1;
    return count < 4 ? 'a pod' : undefined;
  };
  await waitUntil(look, { timeout: 300_000, signal, every: 1 });
  assert.equal(count, 4);
  count = -1000;
  assert.equal(await waitUntil(look, { timeout: 300_000, signal, every: 1 }), 'a pod');
  assert.equal(count, -995);
});

/** Clocks that only the test moves on: both that of `performance` and those of the timers. */
function clocks(context: TestContext) {
  let now = 1000;
  context.mock.method(performance, 'now', () => now);
  context.mock.timers.enable({ apis: ['setInterval'] });
  return {
    passes: (milliseconds: number) => {
      for (let left = milliseconds; left > 0; left -= 1000) {
        const step = Math.min(left, 1000);
        now += step;
        context.mock.timers.tick(step);
      }
    },
    /** The clock goes on while timers stand still. */
    sleeps: (milliseconds: number) => {
      now += milliseconds;
    },
  };
}

test('a stopwatch counts what passes, and of a sleep only so much', (context) => {
  const { passes, sleeps } = clocks(context);
  const passed = startStopwatch(5000);
  passes(1200);
  assert.equal(passed(), 1200);
  assert.equal(passed(), 1200);
  sleeps(3_600_000);
  assert.equal(passed(), 6200);
});

test('a deadline fires when its time is up, and not because the machine slept for an hour', (context) => {
  const { passes, sleeps } = clocks(context);
  const { signal } = startDeadline(60_000);
  passes(30_000);
  sleeps(3_600_000);
  passes(1000);
  assert.equal(signal.aborted, false);
  passes(30_000);
  assert.equal(signal.aborted, true);
});

test('a short deadline fires after its own time, and one that was cleared never', (context) => {
  const { passes } = clocks(context);
  const [short, cleared] = [startDeadline(50), startDeadline(50)];
  cleared.clear();
  passes(49);
  assert.equal(short.signal.aborted, false);
  passes(1);
  assert.deepEqual([short.signal.aborted, cleared.signal.aborted], [true, false]);
});
