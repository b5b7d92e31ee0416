import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError, type ApiServer, Unreachable } from '../../scripts/kubernetes/api/api.ts';
import { everyKind, everyObject } from '../../scripts/kubernetes/api/discovery.ts';

const resource = (name: string, kind: string, verbs = ['list', 'delete', 'get'], namespaced = true) => ({
  name,
  kind,
  namespaced,
  verbs,
});
const version = (groupVersion: string) => ({ groupVersion });
const answers: Record<string, unknown> = {
  '/apis': {
    groups: [
      { preferredVersion: version('apps/v1'), versions: ['apps/v1beta1', 'apps/v1'].map(version) },
      { preferredVersion: version('metrics.k8s.io/v1beta1'), versions: [version('metrics.k8s.io/v1beta1')] },
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
const status = (code: number) => (path: string) => new ApiError(path, code, 'no');
const unreachable = () => new Unreachable('no answer within 10 s');
const objectsOf = async (server: ApiServer) =>
  (await everyObject(server)).map(({ apiVersion, kind, resource: plural, metadata }) =>
    [apiVersion, kind, plural, metadata.name].join(' '),
  );
const all = [
  'v1 Pod pods of-pods',
  'apps/v1 Deployment deployments of-deployments',
  'apps/v1beta1 Scale scales of-scales',
];

test('what can be listed and deleted is listed once, by the plural that is named, without an aggregated API that is down', async () => {
  for (const fault of [status(503), unreachable]) assert.deepEqual(await objectsOf(api(fault)), all);
});

test('an aggregated API that refuses us is no empty one, unless it is being removed', async () => {
  const refusing = api(status(403));
  await assert.rejects(everyObject(refusing), { id: 'api-server-refuses', message: /403 .*metrics.k8s.io/ });
  let looks = 0;
  const list = async () => (looks++ === 0 ? refusing.list('apiregistration.k8s.io/v1', 'APIService') : []);
  assert.deepEqual(await objectsOf({ ...refusing, list } as ApiServer), all);
});

test('every kind of every version is told, with what can be done and whether it is in a namespace; no part of one', async () => {
  const found = await everyKind(api(status(503)));
  const named = found.map(({ apiVersion, resource: plural }) => `${apiVersion} ${plural}`);
  const core = ['v1 pods', 'v1 events', 'v1 bindings', 'v1 componentstatuses'];
  assert.deepEqual(named, [...core, 'apps/v1 deployments', 'apps/v1beta1 deployments', 'apps/v1beta1 scales']);
  const { namespaced, verbs } = found.find(({ kind }) => kind === 'ComponentStatus') ?? assert.fail();
  assert.deepEqual([namespaced, verbs], [false, ['list']]);
});

test('what the API server does not tell of its own is no empty cluster: it would hide objects', async () => {
  await assert.rejects(everyObject(api(unreachable, ['/apis'])), Unreachable);
  await assert.rejects(everyObject(api(status(503), ['/apis/apps/v1'])), ApiError);
  // A group that has just been removed is none.
  const [pods = '', , scales = ''] = all;
  const old = 'apps/v1beta1 Deployment deployments of-deployments';
  assert.deepEqual(await objectsOf(api(status(404), ['/apis/apps/v1'])), [pods, old, scales]);
});
