import assert from 'node:assert/strict';
import { test } from 'node:test';
import { timeoutError } from '../../scripts/kubernetes/waiting/api-server.ts';
import type { Output } from '../../scripts/lib/exec.ts';
import { fakeContext, fakeExec } from '../support/fakes.ts';

const silent = 'the API server at https://127.0.0.1:1 does not answer: no answer within 10 s';

/** What a person reads where that was missing, on a machine whose Docker tells such events. */
async function told(missing: string, events: Partial<Output>, hint?: string) {
  const exec = fakeExec(() => events);
  const context = fakeContext({ exec, node: 'x-control-plane', timeout: 20_000 });
  const error = await timeoutError(context, missing, hint);
  return { text: `${error.message}\n${error.hint}`, asked: exec.calls.length };
}

test('what is missing is told with the hint, a known remedy before it, and Docker is not asked', async () => {
  assert.deepEqual(await told('a pod', {}), {
    text: 'Waited 20 s in vain: a pod.\nnpm run status shows what there is; npm run up goes on where it stopped.',
    asked: 0,
  });
  assert.match((await told('a pod', {}, 'Look.')).text, /a pod\.\nLook\.$/);
  assert.match((await told('failed calling webhook "a"', {}, 'Look.')).text, /\nNobody answers for the webhook a:/);
});

test('where the API server is silent, Docker is asked whether the node’s memory was used up', async () => {
  const { text, asked } = await told(silent, { stdout: 'oom\noom\n' });
  assert.match(
    text,
    /no answer within 10 s\.\n {2}2 processes of the node x-control-plane were killed for want of memory\.\n/,
  );
  assert.match(text, /\nThe node is out of memory: give Docker more/);
  assert.equal(asked, 1);
  for (const events of [{}, { exitCode: 1, stderr: 'no' }])
    assert.match((await told(silent, events)).text, /\ndocker logs x-control-plane may tell why; npm run up goes on/);
});
