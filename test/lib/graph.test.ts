import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Interrupted } from '../../scripts/lib/errors.ts';
import { runGraph, type Task } from '../../scripts/lib/tasks.ts';

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
