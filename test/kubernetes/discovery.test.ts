import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError, type ApiServer, Unreachable } from '../../scripts/kubernetes/api/api.ts';
import { discover, everyKind, everyObject } from '../../scripts/kubernetes/api/discovery.ts';

const resource = (name: string, kind: string, verbs = ['list', 'delete', 'get'], namespaced = true) => ({
  name,
  kind,
  namespaced,
  verbs,
});
const answers: Record<string, unknown> = {
  '/apis': {
    groups: [
      {
        preferredVersion: { groupVersion: 'apps/v1' },
        versions: [{ groupVersion: 'apps/v1beta1' }, { groupVersion: 'apps/v1' }],
      },
      {
        preferredVersion: { groupVersion: 'metrics.k8s.io/v1beta1' },
        versions: [{ groupVersion: 'metrics.k8s.io/v1beta1' }],
      },
    ],
  },
  '/api/v1': {
    resources: [
      resource('pods', 'Pod'),
      resource('pods/log', 'Pod'),
      resource('events', 'Event'),
      resource('bindings', 'Binding', ['create']),
      resource('componentstatuses', 'ComponentStatus', ['list'], false),
    ],
  },
  '/apis/apps/v1': { resources: [resource('deployments', 'Deployment')] },
  '/apis/apps/v1beta1': { resources: [resource('deployments', 'Deployment'), resource('scales', 'Scale')] },
};
/** An API server in which metrics.k8s.io is answered for by another; `fault` is what it says to what it doesn't know. */
const api = (fault: (path: string) => Error, without: readonly string[] = []) => {
  const ask = async (path: string) =>
    without.includes(path) || !(path in answers) ? Promise.reject(fault(path)) : answers[path];
  return {
    json: ask,
    text: async (path: string) => JSON.stringify(await ask(path)),
    list: async () => [
      { metadata: { name: 'v1beta1.metrics.k8s.io' }, spec: { service: { name: 'metrics-server' } } },
      { metadata: { name: 'v1.apps' }, spec: { service: null } },
    ],
    listMetadata: async (apiVersion: string, kind: string, plural?: string) => [
      { apiVersion, kind, metadata: { name: `of-${plural}` } },
    ],
  } as unknown as ApiServer;
};
const unavailable = (path: string) => new ApiError(path, 503, 'unavailable');

for (const fault of [unavailable, () => new Unreachable('no answer within 10 s')]) {
  test(`every kind that can be listed and deleted is found once, without an aggregated API that is down: ${fault('/').name}`, async () => {
    const found = await discover(api(fault));
    assert.deepEqual(
      found.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`),
      ['v1 Pod', 'apps/v1 Deployment', 'apps/v1beta1 Scale'],
    );
  });
}

test('an aggregated API that refuses us is no empty one, unless it is being removed', async () => {
  const refusing = api((path) => new ApiError(path, 403, 'forbidden'));
  await assert.rejects(discover(refusing), { id: 'api-server-refuses', message: /403 .*metrics.k8s.io/ });
  let looks = 0;
  const list = async () => (looks++ === 0 ? refusing.list('apiregistration.k8s.io/v1', 'APIService') : []);
  assert.equal((await discover({ ...refusing, list } as typeof refusing)).length, 3);
});

test('every kind of every version is told, with what can be done and whether it is in a namespace; no part of one', async () => {
  const found = await everyKind(api((path) => new ApiError(path, 503, 'unavailable')));
  assert.deepEqual(
    found.map(({ apiVersion, resource: plural }) => `${apiVersion} ${plural}`),
    ['v1 pods', 'v1 events', 'v1 bindings', 'v1 componentstatuses', 'apps/v1 deployments'].concat(
      'apps/v1beta1 deployments',
      'apps/v1beta1 scales',
    ),
  );
  const { namespaced, verbs } = found.find(({ kind }) => kind === 'ComponentStatus') ?? assert.fail();
  assert.deepEqual([namespaced, verbs], [false, ['list']]);
});

test('the objects are listed by the plural that the API server names', async () => {
  const found = await everyObject(api(unavailable));
  assert.deepEqual(
    found.map(({ metadata, resource }) => `${resource} ${metadata.name}`),
    ['pods of-pods', 'deployments of-deployments', 'scales of-scales'],
  );
});

test('what the API server does not tell of its own is no empty cluster: it would hide objects', async () => {
  await assert.rejects(discover(api(() => new Unreachable('gone'), ['/apis'])), Unreachable);
  await assert.rejects(discover(api(unavailable, ['/apis/apps/v1'])), ApiError);
  const vanished = await discover(api((path) => new ApiError(path, 404, 'not found'), ['/apis/apps/v1']));
  assert.deepEqual(
    vanished.map(({ kind }) => kind),
    ['Pod', 'Deployment', 'Scale'],
  );
});
