import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startDeadline, startStopwatch } from '../../scripts/lib/retry.ts';

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
