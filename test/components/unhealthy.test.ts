import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unhealthyDeployments } from '../../scripts/components/applications.ts';
import type { KubeObject } from '../../scripts/kubernetes/objects.ts';
import { waitForReady } from '../../scripts/kubernetes/waiting/ready.ts';
import { fakeContext, refusal } from '../support/fakes.ts';

const application = (name: string, sync: string, health: string) => ({
  metadata: { name, namespace: 'argocd' },
  status: {
    sync: { status: sync },
    health: { status: health },
    resources: [
      { kind: 'Deployment', namespace: 'default', name },
      { kind: 'Service', namespace: 'default', name: `${name}-service` },
    ],
  },
});
const deployment = (name: string, namespace = 'default') => ({
  kind: 'Deployment',
  metadata: { name, namespace },
  spec: { selector: { matchLabels: { app: name } } },
});
const crashing = {
  metadata: { name: 'sick-1', namespace: 'default', uid: '1' },
  status: {
    containerStatuses: [
      { name: 'c', image: 'i', restartCount: 9, ready: false, state: { waiting: { reason: 'CrashLoopBackOff' } } },
    ],
  },
};

/** A cluster with an Application in each state. */
const context = fakeContext({
  timeout: 30,
  signal: new AbortController().signal,
  api: () => ({ json: async () => ({ items: [] }), text: async () => 'the last word\n' }),
  view: () => ({
    list: async (_: string, kind: string) =>
      kind === 'Application'
        ? [
            application('sick', 'Synced', 'Progressing'),
            application('well', 'Synced', 'Healthy'),
            application('behind', 'OutOfSync', 'Degraded'),
          ]
        : [...['sick', 'well', 'behind', 'sick-service'].map((name) => deployment(name)), deployment('sick', 'other')],
    podsOf: async () => [crashing],
  }),
});

test('only what is synced and not healthy is looked into, and of that only Deployments', async () => {
  const found = await unhealthyDeployments(context);
  assert.deepEqual(
    found.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
    ['default/sick'],
  );
});

test('what an Application waits for is told by the pod, and not only as Progressing', async () => {
  const look = async () => 'Application sick is Progressing';
  const waiting = waitForReady(context, { objects: () => unhealthyDeployments(context), look });
  const { text } = await refusal(() => waiting);
  assert.match(text, /^Application sick is Progressing\.\n {2}pod default\/sick-1, container c: CrashLoopBackOff/);
  assert.match(text, /\n {4}the last word\n/);
});

test('a pod that was put out is no trouble once another one is in its place', async () => {
  const evicted = {
    metadata: { name: 'old', namespace: 'default', uid: '2', creationTimestamp: new Date().toISOString() },
    status: { phase: 'Failed', reason: 'Evicted', message: 'The node was low on resource: memory.' },
  };
  const ready = { metadata: { name: 'new' }, status: { conditions: [{ type: 'Ready', status: 'True' }] } };
  for (const [pods, says] of [
    [[evicted], /Evicted: The node was low/],
    [[evicted, ready], /^Timed out after 0\.03 s: a page\./],
  ] as const) {
    const view = () => ({ podsOf: async () => pods });
    const waiting = waitForReady(fakeContext({ ...context, view }), {
      objects: () => [deployment('sick') as unknown as KubeObject],
      look: async () => 'a page',
    });
    assert.match((await refusal(() => waiting)).text, says);
  }
});

test('that the cluster can’t be asked for them does no harm', async () => {
  const objects = () => Promise.reject(new Error('not now'));
  const { text } = await refusal(() => waitForReady(context, { objects, look: async () => 'a pod' }));
  assert.match(text, /^Timed out after 0\.03 s: a pod\./);
  // What is no answer of the cluster is a bug, which would hide what is wrong with a pod for ever.
  const view = () => ({ podsOf: async () => [{ ...crashing, status: null }] });
  const waiting = waitForReady(fakeContext({ ...context, view }), {
    objects: () => [deployment('sick') as unknown as KubeObject],
    look: async () => 'a pod',
  });
  await assert.rejects(waiting, TypeError);
});
