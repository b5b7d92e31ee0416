import assert from 'node:assert/strict';
import { test } from 'node:test';
import { replaceCrashedPods } from '../../scripts/components/installation.ts';
import type { Pod, Workload } from '../../scripts/kubernetes/types.ts';
import { fakeContext, fakeExec } from '../support/fakes.ts';

const started = '2026-03-01T12:00:00.500Z';
const after = (seconds: number) => new Date(Date.parse('2026-03-01T12:00:00Z') + seconds * 1000).toISOString();

/** A pod whose containers died at these seconds after the node's start and wait; the others run. */
function pod(name: string, ...deaths: (number | undefined)[]) {
  const containerStatuses = deaths.map((death) =>
    death === undefined
      ? { state: { running: {} } }
      : { state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated: { finishedAt: after(death) } } },
  );
  return { metadata: { name, namespace: 'argocd' }, status: { containerStatuses } } as unknown as Pod;
}

async function replacedOf(pods: Pod[], { kind = 'Deployment', target }: { kind?: string; target?: string } = {}) {
  const deleted: string[] = [];
  const State = { Status: 'running', StartedAt: started };
  const container = { State, Config: { Image: 'x' }, HostConfig: { Binds: [], PortBindings: {} } };
  const exec = fakeExec(() => ({ stdout: JSON.stringify([container]) }));
  const context = fakeContext({
    node: 'n',
    exec,
    ...(target !== undefined && { target }),
    view: () => ({ podsOf: async () => pods }),
    kubectl: async () => ({
      run: async (_: unknown, { input }: { input: string }) =>
        void deleted.push(...[...input.matchAll(/\bname"?: ?"?([\w-]+)/g)].map(([, name]) => name ?? '')),
    }),
  });
  await replaceCrashedPods(context, [{ apiVersion: 'apps/v1', kind, metadata: { name: 'w' } } as unknown as Workload]);
  return { deleted, asked: exec.calls.length };
}

test('a pod that died right after the node started, and waits, is replaced', async () => {
  assert.deepEqual((await replacedOf([pod('early', 7), pod('well', undefined)])).deleted, ['early']);
  assert.deepEqual((await replacedOf([pod('with-another', 7, undefined)])).deleted, ['with-another']);
  assert.deepEqual((await replacedOf([pod('at-once', 0)], { kind: 'StatefulSet' })).deleted, ['at-once']);
});

test('one that died before, later, or later once more waits as the kubelet wants', async () => {
  assert.deepEqual((await replacedOf([pod('before', -5), pod('later', 40), pod('both', 7, 40)])).deleted, []);
});

test('where all run, Docker is not asked; elsewhere nothing is', async () => {
  assert.deepEqual(await replacedOf([pod('well', undefined)]), { deleted: [], asked: 0 });
  assert.deepEqual(await replacedOf([pod('early', 7)], { target: 'prod' }), { deleted: [], asked: 0 });
});
