import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ApiError, Unreachable } from '../../scripts/kubernetes/api/api.ts';
import { toleratingOutages } from '../../scripts/kubernetes/waiting/api-server.ts';
import { fakeContext, fakeExec, refusal } from '../support/fakes.ts';

const silent = new Unreachable('nobody answers');
const inspected = (state: string) =>
  JSON.stringify([
    { State: { Status: state }, Config: { Image: 'x' }, HostConfig: { Binds: null, PortBindings: null } },
  ]);

/** A look at a cluster whose node is in that state, or gone; `after` lets milliseconds pass. */
function looking(context: TestContext, look: () => Promise<string | undefined>, state?: string) {
  let now = 0;
  // The clock of before first: of a mock that was mocked, something stays when the test is over, and time stands still for all others.
  context.mock.restoreAll();
  context.mock.method(performance, 'now', () => now);
  const exec = fakeExec(() =>
    state === undefined ? { exitCode: 1, stderr: 'Error: No such container: x' } : { stdout: inspected(state) },
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
  [undefined, /x is gone: .*\nnpm run up makes the cluster anew/],
] as const) {
  test(`a node that is ${state ?? 'gone'} is told once nobody has answered for half a minute`, async (context) => {
    const { after, exec } = looking(context, () => Promise.reject(silent), state);
    assert.equal(await after(29_000), silent.message);
    assert.deepEqual(exec.calls, [], 'Docker is not asked each time');
    assert.match((await refusal(() => after(2000))).text, says);
  });
}

test('a node that runs is waited for on, and an answer begins the half minute anew', async (context) => {
  const running = looking(context, () => Promise.reject(silent), 'running');
  assert.equal(await running.after(50_000), silent.message);
  let looks = 0;
  const flaky = looking(context, async () => (looks++ === 1 ? 'a pod' : Promise.reject(silent)), 'exited');
  assert.equal(await flaky.after(20_000), silent.message);
  assert.equal(await flaky.after(5000), 'a pod');
  assert.equal(await flaky.after(20_000), silent.message);
});
