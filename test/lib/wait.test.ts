import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Interrupted } from '../../scripts/lib/errors.ts';
import { waitUntil } from '../../scripts/lib/retry.ts';

const signal = new AbortController().signal;

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
