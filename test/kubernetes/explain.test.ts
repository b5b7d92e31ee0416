import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explainPodProblem } from '../../scripts/kubernetes/explain/explain.ts';
import { podProblemOf } from '../../scripts/kubernetes/explain/pod-problem.ts';
import type { Pod } from '../../scripts/kubernetes/types.ts';
import { fakeContext } from '../support/fakes.ts';

const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();
const pod = (status: object, metadata: object = {}) =>
  ({
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'n', ...metadata },
    spec: { containers: [] },
    status: { phase: 'Pending', ...status },
  }) as unknown as Pod;
const container = (parts: object) => ({ name: 'c', image: 'x', ready: false, restartCount: 0, ...parts });
const waiting = (reason: string, parts: object = {}) =>
  container({ state: { waiting: { reason, message: 'because' } }, ...parts });
const running = (restartCount: number, parts: { ready?: boolean; crashed?: number } = {}) =>
  container({
    ready: parts.ready ?? false,
    restartCount,
    state: { running: {} },
    lastState: { terminated: { finishedAt: minutesAgo(parts.crashed ?? 1) } },
  });
const containers = (...containerStatuses: object[]) => pod({ containerStatuses });
const waits = (reason: string, parts: object = {}) => containers(waiting(reason, parts));
const initWaits = (status: object) => pod({ initContainerStatuses: [status] });
const unscheduled = (reason: string, message = '') =>
  pod({ conditions: [{ type: 'PodScheduled', status: 'False', reason, message }] });
const evicted = (message: string, ago: number) => {
  const condition = { type: 'DisruptionTarget', status: 'True', lastTransitionTime: minutesAgo(ago) };
  return pod({ phase: 'Failed', reason: 'Evicted', message, conditions: [condition] });
};
const rejected = { phase: 'Failed', reason: 'Evicted', message: 'Pod was rejected: [MemoryPressure].' };
const oomKilled = () => ({
  restartCount: 1,
  lastState: { terminated: { reason: 'OOMKilled', finishedAt: minutesAgo(1) } },
});
const ready = { conditions: [{ type: 'Ready', status: 'True' }], containerStatuses: [waiting('CrashLoopBackOff')] };
const starting = waiting('ContainerCreating');

/** What the pod is like, and the reason that is found with a word of its hint; none while it may simply be starting. */
const pods = (): [string, Pod, expected?: string][] => [
  ['just starting', containers(starting)],
  ['without any status of its containers', pod({})],
  ['out of its memory', waits('CrashLoopBackOff', oomKilled()), 'OOMKilled: resources.limits.memory'],
  ['evicted lately for lack of memory', evicted('low on resource: memory.', 1), 'Evicted: out of memory'],
  ['evicted lately for lack of disk', evicted('low on resource: ephemeral-storage', 1), 'Evicted: nearly full'],
  ['evicted long ago', evicted('low on resource: memory.', 10)],
  ['not admitted by its node', pod(rejected, { creationTimestamp: minutesAgo(1) }), 'Evicted: out of memory'],
  ['on no node with a disk', unscheduled('Unschedulable', 'disk-pressure'), 'Unschedulable: docker system prune'],
  ['on no node', unscheduled('Unschedulable'), 'Unschedulable: memory'],
  ['waiting for the scheduler', unscheduled('SchedulerError')],
  ['crashing', waits('CrashLoopBackOff'), 'CrashLoopBackOff: log'],
  ['without its second image', containers(starting, waiting('ErrImagePull')), 'ErrImagePull: registry'],
  ['refused by ghcr.io', waits('ErrImagePull', { image: 'ghcr.io/a/b:1' }), 'ErrImagePull: npm run credentials'],
  ['without a secret', initWaits(waiting('CreateContainerConfigError')), 'CreateContainerConfigError: Secret'],
  ['running for a moment between two crashes', containers(running(3)), 'CrashLoopBackOff: log'],
  ['whose init container does so', initWaits(running(4)), 'CrashLoopBackOff: log'],
  ['restarted with its node, an hour ago', containers(running(5, { crashed: 60 }))],
  ['restarted twice and starting', containers(running(2))],
  ['restarted and ready, while another container starts', containers(running(9, { ready: true }), starting)],
  ['restarted and without its image', waits('ErrImagePull', { restartCount: 5 }), 'ErrImagePull: registry'],
  ['ready, whatever its status said before', pod(ready)],
  ['being deleted', pod({ containerStatuses: [waiting('CrashLoopBackOff')] }, { deletionTimestamp: 'now' })],
];
test('what is wrong with a pod, by its status', () => {
  for (const [what, one, expected] of pods()) {
    const problem = podProblemOf(one);
    const [reason, hint = ''] = expected?.split(': ') ?? [];
    assert.equal(problem?.reason, reason, what);
    if (!problem) continue;
    assert(problem.hint.includes(hint), `${what}: ${problem.hint}`);
    assert(problem.patience >= 20_000 && problem.patience <= 60_000, what);
  }
  const { patience, hint, ...named } = podProblemOf(waits('StartError')) ?? assert.fail();
  const where = { pod: 'p', namespace: 'n', container: 'c' };
  assert.deepEqual(named, { ...where, reason: 'StartError', message: 'because', errorId: 'pod-crashes' });
});

const untolerated = '0/1 nodes are available: 1 node(s) had untolerated taint(s).';
const problem = podProblemOf(unscheduled('Unschedulable', untolerated)) ?? assert.fail();
const unknown = () => Promise.reject(new Error('not to be told'));

/** A cluster whose node has these taints, and which tells what else the test gives it. */
const contextWith = (taints: string[], parts: object = {}) => {
  const spec = { taints: taints.map((key) => ({ key, effect: 'NoSchedule' })) };
  const list = async () => [
    { metadata: { name: 'x-control-plane' }, spec },
    { metadata: { name: 'y' }, spec: {} },
  ];
  return fakeContext({ node: 'x-control-plane', api: () => ({ json: unknown, text: unknown, list, ...parts }) });
};

for (const [taint, remedy] of [
  ['node.kubernetes.io/disk-pressure', /nearly full: docker system df/],
  ['node.kubernetes.io/memory-pressure', /out of memory: give Docker more/],
  ['node.kubernetes.io/unschedulable', /kubectl uncordon x-control-plane/],
  ['node.kubernetes.io/not-ready', /docker logs x-control-plane/],
  ['example.com/mine', /^Give Docker more memory/],
] as const) {
  test(`a pod that ${taint} keeps away is told with that name, which the scheduler leaves out`, async () => {
    const { message, hint } = await explainPodProblem(
      contextWith([taint]),
      'Deployment n/p: 0 of 1 pods ready',
      problem,
    );
    assert.equal(
      message,
      `Deployment n/p: 0 of 1 pods ready.\n  pod n/p: Unschedulable: ${untolerated}\n  taints of the node: ${taint}`,
    );
    assert.match(hint ?? '', remedy);
  });
}

test('taints are asked for only where they are the reason, and an API server that tells nothing does no harm', async () => {
  const message = '0/1 nodes are available: 1 Insufficient memory.';
  const asked = contextWith([], { list: () => assert.fail('asked without need') });
  assert.equal((await explainPodProblem(asked, 'x', { ...problem, message })).hint, problem.hint);
  assert.equal((await explainPodProblem(contextWith([], { list: unknown }), 'x', problem)).hint, problem.hint);
});

test('the last warning that tells and the last log lines are told with it', async () => {
  const event = (type: string, reason: string, message: string, second: number) => ({
    type,
    reason,
    message,
    lastTimestamp: `2026-01-01T00:00:0${second}Z`,
  });
  const items = [
    event('Warning', 'Failed', 'exec format error', 1),
    event('Warning', 'BackOff', 'Back-off', 2),
    event('Normal', 'Pulled', 'pulled', 3),
  ];
  const text = async (path: string) => (path.includes('previous') ? 'first\nlast\n' : '');
  const context = contextWith([], { json: async () => ({ items }), text });
  const crash = { ...problem, container: 'c', reason: 'CrashLoopBackOff', message: 'restarted' };
  assert.equal(
    (await explainPodProblem(context, 'x', crash)).message,
    'x.\n  pod n/p, container c: CrashLoopBackOff: restarted\n  event: exec format error\n  log:\n    first\n    last',
  );
});
