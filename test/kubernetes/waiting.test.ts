import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ApiError, Unreachable } from '../../scripts/kubernetes/api/api.ts';
import { timeoutError, toleratingOutages } from '../../scripts/kubernetes/waiting/api-server.ts';
import { fakeContext, fakeExec, refusal } from '../support/fakes.ts';

const noAnswer = 'the API server at https://127.0.0.1:1 does not answer: no answer within 10 s';
for (const [what, missing, events, expected] of [
  ['a hint', 'a pod', '', { ids: [], hint: /^Look\.$/, asked: 0 }],
  ['a known remedy before the hint', 'failed calling webhook "a"', '', { ids: [], hint: /webhook a:/, asked: 0 }],
  [
    'what the node’s memory was used up by',
    noAnswer,
    'oom\noom\n',
    { ids: ['node-out-of-memory'], hint: /Docker more/ },
  ],
  ['where to look, with enough memory', noAnswer, '', { ids: [], hint: /^docker logs x-control-plane .*npm run up/ }],
] as const) {
  test(`a timeout is told with what was missing, and ${what}`, async () => {
    const exec = fakeExec(() => ({ stdout: events }));
    const context = fakeContext({ exec, node: 'x-control-plane', timeout: 20_000 });
    const error = await timeoutError(context, missing, missing === noAnswer ? undefined : 'Look.');
    assert.match(error.message, new RegExp(`20 s: ${missing}\\.${events ? '\\n.* 2 processes' : '$'}`));
    assert.match(error.hint ?? '', expected.hint);
    assert.deepEqual(error.ids, missing === noAnswer ? ['api-server-silent', ...expected.ids] : expected.ids);
    assert.equal(
      exec.calls.length,
      missing === noAnswer ? 1 : 0,
      'Docker is asked only where the API server is silent',
    );
  });
}

const silent = new Unreachable('nobody answers');

/** A look at a cluster whose node is in that state, or gone; `after` lets milliseconds pass. */
function looking(context: TestContext, look: () => Promise<string | undefined>, state?: string) {
  let now = 0;
  // The clock of before first: of a mock that was mocked, something stays when the test is over, and time stands still for all others.
  context.mock.restoreAll();
  context.mock.method(performance, 'now', () => now);
  const inspected = [
    { State: { Status: state }, Config: { Image: 'x' }, HostConfig: { Binds: null, PortBindings: null } },
  ];
  const exec = fakeExec(() =>
    state ? { stdout: JSON.stringify(inspected) } : { exitCode: 1, stderr: 'Error: No such container: x' },
  );
  const again = toleratingOutages(fakeContext({ exec, node: 'x' }), look);
  return {
    exec,
    after: (milliseconds: number) => {
      now += milliseconds;
      return again();
    },
  };
}

test('a refusal that passes is what is missing at this look, and one that stays is thrown', async (context) => {
  for (const error of [
    silent,
    new ApiError('/x', 503, 'starting'),
    new ApiError('/x', 429, 'too many'),
    new ApiError('/x', 403, 'not yet', true),
    new ApiError('/x', 403, 'unable to create new content in namespace a because it is being terminated'),
  ])
    assert.equal(await looking(context, () => Promise.reject(error)).after(0), error.message);
  for (const status of [400, 403]) {
    const { after } = looking(context, () => Promise.reject(new ApiError('/x', status, 'no')));
    await assert.rejects(after(0), new RegExp(`answered ${status}`));
  }
});

for (const [state, says] of [
  ['exited', /x is exited: .*\nRun the command again: it starts the node/],
  ['paused', /x is paused: /],
  [undefined, /x is gone: .*\nnpm run up/],
] as const) {
  test(`a node that is ${state ?? 'gone'} is told after half a minute of silence`, async (context) => {
    const { after, exec } = looking(context, () => Promise.reject(silent), state);
    assert.equal(await after(29_000), silent.message);
    assert.deepEqual(exec.calls, [], 'Docker is not asked each time');
    const { error, text } = await refusal(() => after(2000));
    assert.equal(error.id, 'node-stopped');
    assert.match(text, says);
  });
}

test('a node that runs is waited for, and an answer starts the half minute again', async (context) => {
  const running = looking(context, () => Promise.reject(silent), 'running');
  assert.equal(await running.after(50_000), silent.message);
  let looks = 0;
  const flaky = looking(context, async () => (looks++ === 1 ? 'a pod' : Promise.reject(silent)), 'exited');
  for (const [milliseconds, missing] of [
    [20_000, silent.message],
    [5000, 'a pod'],
    [20_000, silent.message],
  ] as const)
    assert.equal(await flaky.after(milliseconds), missing);
});
