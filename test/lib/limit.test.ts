import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limitConcurrency } from '../../scripts/lib/tasks.ts';

/** Works that end when they are told to; `started` has them in the order in which they began. */
function works(count: number) {
  const started: number[] = [];
  const inTurn = limitConcurrency(count);
  const ends = new Map<number, { done: () => void; fail: (error: Error) => void }>();
  const begin = (id: number) =>
    inTurn(() => {
      started.push(id);
      return new Promise<number>((resolve, reject) => ends.set(id, { done: () => resolve(id), fail: reject }));
    });
  const end = async (id: number, error?: Error) => {
    const { done, fail } = ends.get(id) ?? assert.fail(`${id} has not begun`);
    if (error) fail(error);
    else done();
    await settled();
  };
  return { started, begin, end };
}
/** Lets everything run that can. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

test('as many as allowed begin at once, the others in the order they came, each when one ends', async () => {
  const { started, begin, end } = works(2);
  const all = Promise.all([1, 2, 3, 4].map(begin));
  await settled();
  assert.deepEqual(started, [1, 2]);
  await end(2);
  assert.deepEqual(started, [1, 2, 3]);
  await end(3);
  await end(1);
  await end(4);
  assert.deepEqual(
    [await all, started],
    [
      [1, 2, 3, 4],
      [1, 2, 3, 4],
    ],
  );
});

test('a failure is handed on, and its place to the next', async () => {
  const { started, begin, end } = works(1);
  const [bad, good] = [assert.rejects(begin(1), /too bad/), begin(2)];
  await end(1, new Error('too bad'));
  await bad;
  assert.deepEqual(started, [1, 2]);
  await end(2);
  assert.equal(await good, 2);
});

test('who comes at the moment when one ends does not slip in besides the next', async () => {
  const inTurn = limitConcurrency(1);
  let [running, most] = [0, 0];
  const work = async () => {
    most = Math.max(most, ++running);
    await settled();
    running -= 1;
  };
  const first = inTurn(work);
  const late = first.then(() => inTurn(work));
  await Promise.all([first, inTurn(work), inTurn(work), late]);
  assert.equal(most, 1);
});

test('places are free again after a rest, and no more of them than before', async () => {
  const { started, begin, end } = works(2);
  for (const id of [1, 2]) {
    const work = begin(id);
    await end(id);
    await work;
  }
  const rest = [3, 4, 5].map(begin);
  await settled();
  assert.deepEqual(started, [1, 2, 3, 4]);
  for (const id of [3, 4, 5]) await end(id);
  await Promise.all(rest);
});
