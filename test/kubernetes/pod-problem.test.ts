import assert from 'node:assert/strict';
import { test } from 'node:test';
import { podProblemOf } from '../../scripts/kubernetes/explain/pod-problem.ts';
import type { Pod } from '../../scripts/kubernetes/types.ts';

function pod(status: object, metadata: object = {}): Pod {
  const spec = { containers: [] };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', ...metadata },
    spec,
    status: { phase: 'Pending', ...status } as Pod['status'],
  };
}
const waiting = (reason: string, image = 'x') => ({
  name: 'c',
  image,
  state: { waiting: { reason, message: 'because' } },
});
const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();
const running = (restartCount: number, ready = false, crashed = 1) => ({
  name: 'c',
  image: 'x',
  ready,
  restartCount,
  state: { running: {} },
  lastState: { terminated: { finishedAt: minutesAgo(crashed) } },
});
const unscheduled = (reason: string) => pod({ conditions: [{ type: 'PodScheduled', status: 'False', reason }] });
const evicted = (message: string, ago: number) =>
  pod({
    phase: 'Failed',
    reason: 'Evicted',
    message,
    conditions: [{ type: 'DisruptionTarget', status: 'True', lastTransitionTime: minutesAgo(ago) }],
  });
const ready = { conditions: [{ type: 'Ready', status: 'True' }] };

/** Made anew for each test: by the time that one runs, what was a minute ago when the file was read may be five. */
const troubles = (): [string, Pod, string | undefined, RegExp?][] => [
  ['that is just starting', pod({ containerStatuses: [waiting('ContainerCreating')] }), undefined],
  ['without any status of its containers', pod({}), undefined],
  [
    'that took more memory than it may',
    pod({
      containerStatuses: [
        {
          ...waiting('CrashLoopBackOff'),
          restartCount: 1,
          lastState: { terminated: { reason: 'OOMKilled', finishedAt: minutesAgo(1) } },
        },
      ],
    }),
    'OOMKilled',
    /resources\.limits\.memory/,
  ],
  [
    'that the node put out a minute ago, for want of memory',
    evicted('The node was low on resource: memory.', 1),
    'Evicted',
    /The node is out of memory: give Docker more/,
  ],
  [
    'that the node did not let in',
    pod(
      { phase: 'Failed', reason: 'Evicted', message: 'Pod was rejected: The node had condition: [MemoryPressure].' },
      { creationTimestamp: minutesAgo(1) },
    ),
    'Evicted',
    /out of memory/,
  ],
  [
    'that the node put out for want of disk',
    evicted('low on resource: ephemeral-storage', 1),
    'Evicted',
    /nearly full/,
  ],
  ['that the node put out long ago', evicted('The node was low on resource: memory.', 10), undefined],
  [
    'that finds no node with room on its disk',
    pod({
      conditions: [
        {
          type: 'PodScheduled',
          status: 'False',
          reason: 'Unschedulable',
          message: '1 node(s) had untolerated taint {node.kubernetes.io/disk-pressure: }',
        },
      ],
    }),
    'Unschedulable',
    /docker system prune/,
  ],
  ['whose container crashes', pod({ containerStatuses: [waiting('CrashLoopBackOff')] }), 'CrashLoopBackOff', /log/],
  [
    'whose first image is there, but not the second',
    pod({ containerStatuses: [waiting('ContainerCreating'), waiting('ErrImagePull')] }),
    'ErrImagePull',
    /registry/,
  ],
  [
    'whose image of ghcr.io is refused',
    pod({ containerStatuses: [waiting('ImagePullBackOff', 'ghcr.io/a/b:1')] }),
    'ImagePullBackOff',
    /npm run credentials/,
  ],
  [
    'whose init container lacks its secret',
    pod({ initContainerStatuses: [waiting('CreateContainerConfigError')] }),
    'CreateContainerConfigError',
    /Secret/,
  ],
  ['that runs for a moment between two crashes', pod({ containerStatuses: [running(3)] }), 'CrashLoopBackOff', /log/],
  ['whose init container does so', pod({ initContainerStatuses: [running(4)] }), 'CrashLoopBackOff', /log/],
  ['that was restarted with its node, an hour ago', pod({ containerStatuses: [running(5, false, 60)] }), undefined],
  ['that was restarted twice and is on its way', pod({ containerStatuses: [running(2)] }), undefined],
  [
    'whose restarted container is ready, while another starts',
    pod({ containerStatuses: [running(9, true), waiting('ContainerCreating')] }),
    undefined,
  ],
  [
    'whose restarted container waits for its image',
    pod({ containerStatuses: [{ ...waiting('ErrImagePull'), restartCount: 5, ready: false }] }),
    'ErrImagePull',
    /registry/,
  ],
  ['that fits on no node', unscheduled('Unschedulable'), 'Unschedulable', /memory/],
  ['that waits for the scheduler', unscheduled('SchedulerError'), undefined],
  [
    'that is ready, whatever its status said before',
    pod({ ...ready, containerStatuses: [waiting('CrashLoopBackOff')] }),
    undefined,
  ],
  [
    'on its way out',
    pod({ containerStatuses: [waiting('CrashLoopBackOff')] }, { deletionTimestamp: 'now' }),
    undefined,
  ],
];
for (const [index, [what, , reason, hint]] of troubles().entries()) {
  test(`a pod ${what}: ${reason ?? 'no trouble'}`, () => {
    const trouble = podProblemOf(troubles()[index]?.[1] ?? assert.fail());
    assert.equal(trouble?.reason, reason);
    if (hint) assert.match(trouble?.hint ?? '', hint);
    if (trouble) assert(trouble.patience >= 20_000 && trouble.patience <= 60_000);
  });
}

test('a trouble names pod, namespace, container and Kubernetes’ own message', () => {
  const { patience, hint, ...named } =
    podProblemOf(pod({ containerStatuses: [waiting('StartError')] }, { namespace: 'a' })) ?? {};
  const where = { pod: 'p', namespace: 'a', container: 'c' };
  assert.deepEqual(named, { ...where, reason: 'StartError', message: 'because', errorId: 'pod-crashes' });
});
