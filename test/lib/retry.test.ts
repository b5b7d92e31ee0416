import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Unreachable } from '../../scripts/kubernetes/api/api.ts';
import { createKubectl } from '../../scripts/kubernetes/kubectl.ts';
import { Interrupted } from '../../scripts/lib/errors.ts';
import { withRetry } from '../../scripts/lib/retry.ts';
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
