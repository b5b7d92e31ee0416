import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Component, Status } from '../../scripts/cluster/component.ts';
import { waitUntilServing } from '../../scripts/components/cluster-start.ts';
import { replaceCrashedPods } from '../../scripts/components/installation.ts';
import { metricsServer } from '../../scripts/components/metrics-server.ts';
import { infoOf } from '../../scripts/components/services.ts';
import { ApiError } from '../../scripts/kubernetes/api/api.ts';
import type { KubeObject } from '../../scripts/kubernetes/objects.ts';
import type { Pod, Workload } from '../../scripts/kubernetes/types.ts';
import { fakeContext, fakeExec, refusal } from '../support/fakes.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'redis', namespace: 'argocd' } };

function pod(status: Partial<Pod['status']>, deletionTimestamp?: string): Pod {
  const metadata = { name: 'redis-1', namespace: 'argocd', uid: '1', ...(deletionTimestamp && { deletionTimestamp }) };
  return { metadata, spec: { containers: [] }, status: { phase: 'Running', ...status } } as unknown as Pod;
}

const isReady = { conditions: [{ type: 'Ready', status: 'True' }] };

/** Waits for a component of one Deployment; `looks` are its pods, one look after the other. */
async function waitFor(status: Status, looks: Pod[][], timeout = 5000) {
  let asked = 0;
  const component = { name: 'argo-cd', status: async () => status, objects: async () => [deployment] as KubeObject[] };
  const podsOf = async () => {
    asked += 1;
    return (looks.length > 1 ? looks.shift() : looks[0]) ?? [];
  };
  const context = fakeContext({
    timeout,
    signal: new AbortController().signal,
    config: { clusterName: 'x' },
    target: 'said, so that no node is asked when it was started',
    view: () => ({ podsOf }),
  });
  await waitUntilServing(context, component as unknown as Component);
  return asked;
}

test('a workload that is told to be ready is not, as long as a pod of it is not', async () => {
  const asked = await waitFor({ state: 'ready' }, [[pod({})], [pod({})], [pod({})], [pod(isReady)]]);
  assert(asked >= 4, `${asked} looks`);
  const { text } = await refusal(() => waitFor({ state: 'ready' }, [[pod({})]], 20));
  assert.match(text, /Pod argocd\/redis-1 is not ready/);
});

test('pods that are on their way out, or over, are no reason to wait', async () => {
  const over = [pod({ phase: 'Failed' }), pod({ phase: 'Succeeded' }), pod({}, '2026-03-01T12:00:00Z')];
  await waitFor({ state: 'ready' }, [[...over, pod(isReady)]]);
});

test('what was never installed is not waited for', async () => {
  const { error } = await refusal(() => waitFor({ state: 'absent', missing: 'Namespace argocd is missing' }, [[]]));
  assert.equal(error.id, 'component-absent');
  assert.match(error.message, /argo-cd .*Namespace argocd is missing/);
});

test('metrics-server asks the API server of its node in kind, and the Service in a cluster elsewhere', async () => {
  const environment = async (target?: string) => {
    const list = async () => [];
    const json = () => Promise.reject(new ApiError('/apis', 404, 'not found'));
    const context = fakeContext({ config: { root }, ...(target && { target }), api: () => ({ list, json }) });
    const objects = (await metricsServer.objects?.(context)) ?? [];
    const found = objects.find(({ kind }) => kind === 'Deployment') as unknown as {
      spec: { template: { spec: { containers: { env?: { name: string }[] }[] } } };
    };
    return found.spec.template.spec.containers[0]?.env?.map(({ name }) => name);
  };
  assert.deepEqual(await environment(), ['KUBERNETES_SERVICE_HOST', 'KUBERNETES_SERVICE_PORT']);
  assert.equal(await environment('prod'), undefined);
});

test('the answer of an API of another program has no part of a service in it, whatever it is', () => {
  for (const answer of ['null', '<html>', '{}']) assert.equal(infoOf('upstream', answer), undefined);
  assert.deepEqual(infoOf('upstream', '{"upstream":{"version":"1"}}'), { version: '1' });
});

const started = '2026-03-01T12:00:00.500Z';
const after = (seconds: number) => new Date(Date.parse('2026-03-01T12:00:00Z') + seconds * 1000).toISOString();

/** A pod whose containers died at these seconds after the node's start and wait; the others run. */
function deadPod(name: string, ...deaths: (number | undefined)[]) {
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
  assert.deepEqual((await replacedOf([deadPod('early', 7), deadPod('well', undefined)])).deleted, ['early']);
  assert.deepEqual((await replacedOf([deadPod('with-another', 7, undefined)])).deleted, ['with-another']);
  assert.deepEqual((await replacedOf([deadPod('at-once', 0)], { kind: 'StatefulSet' })).deleted, ['at-once']);
});

test('one that died before, later, or later once more waits as the kubelet wants', async () => {
  assert.deepEqual(
    (await replacedOf([deadPod('before', -5), deadPod('later', 40), deadPod('both', 7, 40)])).deleted,
    [],
  );
});

test('where all run, Docker is not asked; in a cluster of others nothing is', async () => {
  assert.deepEqual(await replacedOf([deadPod('well', undefined)]), { deleted: [], asked: 0 });
  assert.deepEqual(await replacedOf([deadPod('early', 7)], { target: 'prod' }), { deleted: [], asked: 0 });
});
