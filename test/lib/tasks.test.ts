import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Interrupted, UsageError, UserError } from '../../scripts/lib/errors.ts';
import { assertNoFailures, limitConcurrency, runGraph, type Task, type TaskResult } from '../../scripts/lib/tasks.ts';
import { refusal } from '../support/fakes.ts';

/** Tasks that note when they start, and end only when the test says so. */
function tasks(needs: Record<string, string[]>) {
  const started: string[] = [];
  const ends: Record<string, { resolve(): void; reject(error: unknown): void }> = {};
  const list = Object.entries(needs).map(
    ([name, needed]): Task => ({
      name,
      needs: needed,
      run: () => {
        started.push(name);
        return new Promise((resolve, reject) => {
          ends[name] = { resolve, reject };
        });
      },
    }),
  );
  return {
    list,
    started,
    end: async (name: string, error?: unknown) => {
      if (error === undefined) ends[name]?.resolve();
      else ends[name]?.reject(error);
      await turn();
    },
  };
}
const states = (results: Awaited<ReturnType<typeof runGraph>>) =>
  Object.fromEntries([...results].map(([name, result]) => [name, result.state]));

test('independent tasks run side by side, the others once all that they need is done', async () => {
  const { list, started, end } = tasks({
    cluster: [],
    argo: ['cluster'],
    ingress: ['cluster'],
    apps: ['argo', 'ingress'],
  });
  const running = runGraph(list);
  await turn();
  assert.deepEqual(started, ['cluster']);
  await end('cluster');
  assert.deepEqual(started, ['cluster', 'argo', 'ingress']);
  await end('ingress');
  assert.equal(started.length, 3);
  await end('argo');
  assert.deepEqual(started.slice(3), ['apps']);
  await end('apps');
  assert.deepEqual(states(await running), { cluster: 'done', argo: 'done', ingress: 'done', apps: 'done' });
});

test('a failure takes what stands on it with it, and lets the others finish', async () => {
  const { list, started, end } = tasks({ a: [], b: [], onA: ['a'], onThat: ['b', 'onA'], onB: ['b'] });
  const running = runGraph(list);
  await turn();
  const broken = new Error('broken');
  await end('a', broken);
  await end('b');
  await end('onB');
  const results = await running;
  assert.deepEqual(started, ['a', 'b', 'onB']);
  assert.deepEqual(results.get('a'), { state: 'failed', error: broken });
  assert.deepEqual(results.get('onA'), { state: 'skipped', because: 'a' });
  assert.deepEqual(results.get('onThat'), { state: 'skipped', because: 'onA' });
  assert.deepEqual(results.get('onB'), { state: 'done' });
});

test('an interruption is thrown on, but only once every task has stopped', async () => {
  const { list, end } = tasks({ a: [], b: [], c: ['a'] });
  let over = false;
  const running = runGraph(list).finally(() => {
    over = true;
  });
  const thrown = assert.rejects(running, Interrupted);
  await turn();
  await end('a', new Interrupted());
  assert.equal(over, false);
  await end('b', new Error('ended, too'));
  await thrown;
});

for (const [what, needs] of [
  ['stands behind it', { a: ['b'], b: [] }],
  ['does not exist', { a: ['b'] }],
  ['is itself', { a: ['a'] }],
  ['needs it in turn', { a: ['b'], b: ['a'] }],
] as [string, Record<string, string[]>][]) {
  test(`a need that ${what} is refused before anything starts`, async () => {
    const { list, started } = tasks(needs);
    await assert.rejects(runGraph(list), /^Error: a needs (a|b), which does not stand before it in the list$/);
    assert.deepEqual(started, []);
  });
}

test('no tasks are done at once', async () => assert.equal((await runGraph([])).size, 0));

const failed = (error: unknown): TaskResult => ({ state: 'failed', error });
const gone = () =>
  failed(new UserError('Docker does not answer any more.', { id: 'docker-not-running', hint: 'Start it.' }));

test('steps that failed for the same reason are told together, the others each with its own', async () => {
  const results = new Map([
    ['cluster', { state: 'done' } as TaskResult],
    ['argo-cd', gone()],
    [
      'ingress',
      failed(new UserError('No webhook.', { cause: new UserError('x', { id: ['not-applied', 'no-cluster'] }) })),
    ],
    ['grafana', gone()],
    ['routes', { state: 'skipped', because: 'ingress' } as TaskResult],
  ]);
  const { error, text } = await refusal(() => assertNoFailures(results));
  assert.deepEqual(error.ids, ['docker-not-running', 'not-applied', 'no-cluster']);
  assert.equal(
    text,
    'argo-cd, grafana: Docker does not answer any more.\n  → Start it.\n✖ ingress: No webhook.\nnpm run doctor',
  );
});

test('where nothing failed nothing is thrown, a bug is thrown as it is, and the first exit code counts', async () => {
  assertNoFailures(new Map([['a', { state: 'done' } as TaskResult]]));
  const bug = new TypeError('x is undefined');
  assert.throws(
    () =>
      assertNoFailures(
        new Map([
          ['a', gone()],
          ['b', failed(bug)],
        ]),
      ),
    (error) => error === bug,
  );
  assert.equal(
    (await refusal(() => assertNoFailures(new Map([['a', failed(new UsageError('wrong'))]])))).error.exitCode,
    2,
  );
});

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
    await turn();
  };
  return { started, begin, end };
}
test('as many as allowed begin at once, the others in the order they came, each when one ends', async () => {
  const { started, begin, end } = works(2);
  const all = Promise.all([1, 2, 3, 4].map(begin));
  await turn();
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
  // The place is free again.
  void begin(3);
  await turn();
  assert.deepEqual(started, [1, 2, 3]);
  await end(3);
});

test('who comes at the moment when one ends does not slip in besides the next', async () => {
  const inTurn = limitConcurrency(1);
  let [running, most] = [0, 0];
  const work = async () => {
    most = Math.max(most, ++running);
    await turn();
    running -= 1;
  };
  const first = inTurn(work);
  const late = first.then(() => inTurn(work));
  await Promise.all([first, inTurn(work), inTurn(work), late]);
  assert.equal(most, 1);
});
