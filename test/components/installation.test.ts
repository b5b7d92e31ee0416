import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ComponentSpec, contentAnnotation, install } from '../../scripts/components/installation.ts';
import type { KubeObject } from '../../scripts/kubernetes/objects.ts';
import { fakeContext } from '../support/fakes.ts';

const named = (name: string, kind = 'ConfigMap', apiVersion = 'v1'): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name },
});
const definition = (name: string, content = 'a'): KubeObject => ({
  ...named(name, 'CustomResourceDefinition', 'apiextensions.k8s.io/v1'),
  metadata: { name, annotations: { [contentAnnotation]: content } },
});

/** A cluster that remembers what was applied; what is applied becomes ready after so many looks. */
function fakeCluster(present: KubeObject[] = [], looksUntilReady = 0) {
  const cluster = new Map(present.map((object) => [object.metadata.name, object]));
  const log: string[] = [];
  const looks = new Map<string, number>();
  const missing = async (objects: readonly KubeObject[]) => {
    for (const { metadata } of objects) {
      const { name } = metadata;
      if (!cluster.has(name)) return `ConfigMap ${name} is missing`;
      const seen = (looks.get(name) ?? 0) + 1;
      looks.set(name, seen);
      if (seen <= looksUntilReady) return `ConfigMap ${name}: 0 of 1 pods ready`;
      if (!log.includes(`ready ${name}`)) log.push(`ready ${name}`);
    }
    return undefined;
  };
  const apply = async (objects: readonly KubeObject[]) => {
    for (const object of objects) {
      cluster.set(object.metadata.name, object);
      log.push(`apply ${object.metadata.name}`);
    }
    return objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
  };
  const heads = async (_: string, kind: string) => [...cluster.values()].filter((object) => object.kind === kind);
  const context = fakeContext({
    signal: new AbortController().signal,
    timeout: 3000,
    images: { ensure: async (images: string[]) => images },
    api: () => ({ listMetadata: heads }),
    view: () => ({ missing, listHeads: heads, podsOf: async () => [], forget: () => {} }),
    kubectl: async () => ({ apply }),
  });
  return { context, log };
}

const component = (objects: KubeObject[], parts: Partial<ComponentSpec> = {}) =>
  install({ name: 'x', needs: [], objects: async () => objects, ...parts });

test('a large object that the cluster has with this very content is left out, and nothing else is', async () => {
  const { context, log } = fakeCluster([definition('same'), definition('other', 'old'), named('plain')]);
  const objects = [definition('same'), definition('other', 'new'), definition('fresh'), named('plain')];
  const told = await component(objects).objects?.(context);
  assert.deepEqual(
    told?.map(({ metadata }) => metadata.name),
    ['other', 'fresh', 'plain'],
  );
  await component(objects).apply(context);
  assert.deepEqual(
    log.filter((line) => line.startsWith('apply')),
    ['apply other', 'apply fresh', 'apply plain'],
  );
});

test('a definition that somebody else made, without our mark, is applied', async () => {
  const { context, log } = fakeCluster([named('crd', 'CustomResourceDefinition', 'apiextensions.k8s.io/v1')]);
  await component([definition('crd')]).apply(context);
  assert(log.includes('apply crd'), log.join());
});

test('what is not proved yet is waited for by apply, mended meanwhile, and no matter of status', async () => {
  const { context } = fakeCluster([named('a')]);
  let mended = 0;
  const one = component([named('a')], {
    unproved: async () => (mended < 2 ? 'nothing answers' : undefined),
    mend: async () => void mended++,
  });
  assert.equal((await one.status(context)).state, 'ready');
  assert.equal(mended, 0, 'status changes nothing');
  await one.apply(context);
  assert.equal(mended, 2, 'and once it is proved, nothing is mended');
});

test('nothing is proved or mended where the objects are there and everything answers', async () => {
  const { context } = fakeCluster();
  const mend = () => assert.fail('mended for nothing');
  await component([named('a')], { mend, missing: async () => undefined }).apply(context);
});

test('while workloads start, nothing else is looked at, and all of it once they are there', async () => {
  const { context } = fakeCluster([], 2);
  const asked: string[][] = [];
  const { missing } = context.view();
  const view = {
    ...context.view(),
    missing: async (objects: readonly KubeObject[]) => {
      asked.push(objects.map(({ metadata }) => metadata.name));
      return missing(objects);
    },
  };
  const deployment = { ...named('w', 'Deployment'), spec: { template: { spec: { containers: [] } } } };
  await component([deployment, named('c')]).apply(Object.assign(context, { view: () => view }));
  assert.deepEqual(asked.slice(0, 3), [['w'], ['w'], ['w']]);
  assert.deepEqual(asked[3], ['w', 'c']);
});

test('what is prepared comes before the objects and is told with the images', async () => {
  const { context, log } = fakeCluster();
  const workload = { ...named('w', 'Deployment'), spec: { template: { spec: { containers: [{ image: 'i:1' }] } } } };
  const prepare = async () => [`secret, after ${log.length} objects`];
  const { changed, detail } = await component([workload], { prepare, detail: () => 'v1' }).apply(context);
  assert.deepEqual([changed, detail], [['image i:1', 'secret, after 0 objects', 'Deployment w'], 'v1']);
});

test('status tells absent from unready, and passes on what is missing besides the objects', async () => {
  const { context } = fakeCluster([named('a')]);
  const missing = async () => 'the page does not answer';
  const status = (objects: KubeObject[], parts: Partial<ComponentSpec> = {}) =>
    component(objects, parts).status(context);
  assert.deepEqual(await status([named('b')]), { state: 'absent', missing: 'ConfigMap b is missing' });
  assert.deepEqual(await status([named('a')], { missing }), { state: 'unready', missing: 'the page does not answer' });
  assert.deepEqual(await status([named('a')], { detail: () => 'v1' }), { state: 'ready', detail: 'v1' });
});
