import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explainPodProblem } from '../../scripts/kubernetes/explain/explain.ts';
import type { PodProblem } from '../../scripts/kubernetes/explain/pod-problem.ts';
import { fakeContext } from '../support/fakes.ts';

const trouble: PodProblem = {
  pod: 'p-1',
  namespace: 'n',
  container: undefined,
  reason: 'Unschedulable',
  message: '0/1 nodes are available: 1 node(s) had untolerated taint(s).',
  patience: 1,
  hint: 'Give Docker more memory.',
};
const unknown = () => Promise.reject(new Error('not to be told'));

/** A cluster whose node has these taints, and which tells what else the test gives it. */
const contextWith = (taints: string[], parts: object = {}) =>
  fakeContext({
    node: 'x-control-plane',
    api: () => ({
      json: unknown,
      text: unknown,
      list: async () => [
        {
          metadata: { name: 'x-control-plane' },
          spec: { taints: taints.map((key) => ({ key, effect: 'NoSchedule' })) },
        },
        { metadata: { name: 'y' }, spec: {} },
      ],
      ...parts,
    }),
  });

const remedies: [string, RegExp][] = [
  ['node.kubernetes.io/disk-pressure', /nearly full: docker system df/],
  ['node.kubernetes.io/memory-pressure', /out of memory: give Docker more/],
  ['node.kubernetes.io/unschedulable', /kubectl uncordon x-control-plane/],
  ['node.kubernetes.io/not-ready', /docker logs x-control-plane/],
  ['example.com/mine', /^Give Docker more memory\.$/],
];
for (const [taint, remedy] of remedies) {
  test(`a pod that ${taint} keeps away is told with that name, which the scheduler leaves out`, async () => {
    const { message, hint } = await explainPodProblem(
      contextWith([taint]),
      'Deployment n/p: 0 of 1 pods ready',
      trouble,
    );
    assert.equal(
      message,
      `Deployment n/p: 0 of 1 pods ready.\n  pod n/p-1: Unschedulable: ${trouble.message}\n  taints of the node: ${taint}`,
    );
    assert.match(hint ?? '', remedy);
  });
}

test('taints are asked for only where they are the reason, and an API server that tells nothing does no harm', async () => {
  const message = '0/1 nodes are available: 1 Insufficient memory.';
  const asked = contextWith([], { list: () => assert.fail('asked in vain') });
  assert.equal((await explainPodProblem(asked, 'x', { ...trouble, message })).hint, trouble.hint);
  assert.equal((await explainPodProblem(contextWith([], { list: unknown }), 'x', trouble)).hint, trouble.hint);
});

test('the last warning that tells and the last words are told with it', async () => {
  const items = [
    { type: 'Warning', reason: 'Failed', message: 'exec format error', lastTimestamp: '2026-01-01T00:00:01Z' },
    { type: 'Warning', reason: 'BackOff', message: 'Back-off', lastTimestamp: '2026-01-01T00:00:02Z' },
    { type: 'Normal', reason: 'Pulled', message: 'pulled', lastTimestamp: '2026-01-01T00:00:03Z' },
  ];
  const text = async (path: string) => (path.includes('previous') ? 'first\nlast\n' : '');
  const context = contextWith([], { json: async () => ({ items }), text });
  const crash = { ...trouble, container: 'c', reason: 'CrashLoopBackOff', message: 'restarted' };
  assert.equal(
    (await explainPodProblem(context, 'x', crash)).message,
    'x.\n  pod n/p-1, container c: CrashLoopBackOff: restarted\n  event: exec format error\n  log:\n    first\n    last',
  );
});
