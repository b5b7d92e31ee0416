import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  followLogs,
  type LogLine,
  type LogSource,
  readLogs,
  sourcesOf,
  workloadsNamed,
} from '../../scripts/access/logs.ts';
import { logRangeOf } from '../../scripts/commands/logs.ts';
import { ApiError, Unreachable } from '../../scripts/kubernetes/api/api.ts';
import type { ContainerStatus, Pod, Workload } from '../../scripts/kubernetes/types.ts';
import { Interrupted } from '../../scripts/lib/errors.ts';
import { fakeContext, refusal } from '../support/fakes.ts';

const running = { running: { startedAt: '2026-01-02T03:04:05Z' } };
const container = (parts: Partial<ContainerStatus> = {}): ContainerStatus => ({
  name: 'app',
  image: 'x:1',
  imageID: '',
  ready: true,
  restartCount: 0,
  state: running,
  ...parts,
});
const pod = (name: string, statuses: ContainerStatus[], init: ContainerStatus[] = []): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', uid: `uid-${name}`, labels: { app: 'x' } },
  spec: {
    containers: statuses.map(({ name: one, image }) => ({ name: one, image })),
    initContainers: init.map(({ name: one, image }) => ({ name: one, image })),
  },
  status: { phase: 'Running', containerStatuses: statuses, initContainerStatuses: init },
});
const labels = (pods: Pod[], previous = false) => sourcesOf(pods, previous).sources.map(({ label }) => label);

test('each running or ended container has a log, by the name of its pod', () => {
  const ended = container({ state: { terminated: { exitCode: 1 } } });
  const { sources, without } = sourcesOf([pod('x-1', [container()]), pod('x-2', [ended])]);
  assert.deepEqual(
    sources.map(({ label, running }) => [label, running]),
    [
      ['x-1', true],
      ['x-2', false],
    ],
  );
  assert.deepEqual(without, []);
});

test('of several containers each is named, and one that prepared the others and ended well is left out', () => {
  const two = [container(), container({ name: 'side' })];
  assert.deepEqual(labels([pod('x', two)]), ['x/app', 'x/side']);
  const init = (exitCode: number) => container({ name: 'init', state: { terminated: { exitCode } } });
  assert.deepEqual(labels([pod('x', [container()], [init(0)])]), ['x/app']);
  assert.deepEqual(labels([pod('x', [container()], [init(1)])]), ['x/init', 'x/app']);
});

test('one that waits is told with its reason, unless an earlier run of it has left a log', () => {
  const waiting = { waiting: { reason: 'ImagePullBackOff', message: 'no such image' } };
  const { sources, without } = sourcesOf([pod('x', [container({ state: waiting })])]);
  assert.deepEqual([sources, without], [[], ['x has no log yet: ImagePullBackOff, no such image.']]);
  const crashed = container({ state: waiting, lastState: { terminated: {} }, restartCount: 3 });
  assert.deepEqual(labels([pod('x', [crashed])]), ['x']);
  assert.deepEqual(sourcesOf([{ ...pod('x', []), status: { phase: 'Pending' } }]).without, [
    'x has no container yet: it is Pending.',
  ]);
});

test('of a run before there is a log only where a container was restarted, and a restart is another source', () => {
  const restarted = container({ restartCount: 1, lastState: { terminated: {} } });
  assert.deepEqual(labels([pod('a', [restarted]), pod('b', [container()])], true), ['a']);
  const ids = [container(), restarted].map((one) => sourcesOf([pod('a', [one])]).sources[0]?.id);
  assert.notEqual(ids[0], ids[1]);
});

test('the flags say which part of a log: the last 100 lines unless a time or a number is asked for', async () => {
  const parts = [{}, { since: '10m' }, { since: '90' }, { since: '2h', tail: '5' }, { tail: 'all' }];
  assert.deepEqual(
    parts.map((flags) => [logRangeOf(flags).seconds, logRangeOf(flags).tail]),
    [
      [undefined, 100],
      [600, undefined],
      [90, undefined],
      [7200, 5],
      [undefined, undefined],
    ],
  );
  for (const flags of [{ since: '10 m' }, { since: '0s' }, { since: '-5m' }, { tail: '0' }, { tail: 'few' }])
    assert.match((await refusal(() => logRangeOf(flags))).text, /^--(since|tail) takes .*\nnpm run logs/);
});

const source = (name: string, isRunning = true): LogSource => ({
  id: name,
  namespace: 'default',
  pod: name,
  container: 'app',
  running: isRunning,
  label: name,
});

/** An API server with a text for each pod's log; a function is called with the query and may throw. */
function server(logs: Record<string, string | ((query: URLSearchParams) => string | Promise<string>)>) {
  const asked: string[] = [];
  const lines = async (path: string, _: number, onLine: (line: string) => void) => {
    asked.push(path);
    const [, name = '', query = ''] = path.match(/pods\/(.*)\/log\?(.*)/) ?? [];
    const log = logs[name] ?? '';
    const text = typeof log === 'string' ? log : await log(new URLSearchParams(query));
    const all = text.split('\n');
    const rest = all.pop() ?? '';
    for (const line of all) onLine(line);
    return rest;
  };
  return { asked, api: () => ({ lines }) };
}
const texts = (lines: readonly LogLine[]) => lines.map(({ source: { label }, text }) => `${label} ${text}`);

test('lines of several pods come in the order of time, last words without a line break included', async () => {
  const { api, asked } = server({
    a: '2026-01-02T03:04:05.100000000Z one\n2026-01-02T03:04:05.3Z  three \n',
    b: '2026-01-02T03:04:05.25Z two\n2026-01-02T03:04:06Z last words',
  });
  const lines = await readLogs(fakeContext({ api }), [source('a'), source('b')], { tail: 5, previous: true });
  assert.deepEqual(texts(lines), ['a one', 'b two', 'a  three ', 'b last words']);
  assert.equal(
    asked[0],
    '/api/v1/namespaces/default/pods/a/log?container=app&timestamps=true&tailLines=5&previous=true',
  );
});

test('a pod that goes meanwhile has no lines, and what fails for all is thrown', async () => {
  const gone = () => Promise.reject(new ApiError('/x', 404, 'pods "a" not found'));
  const { api } = server({ a: gone, b: '2026-01-02T03:04:05Z x\n' });
  assert.deepEqual(texts(await readLogs(fakeContext({ api }), [source('a'), source('b')], {})), ['b x']);
  const refuses = server({ a: () => Promise.reject(new ApiError('/x', 403, 'forbidden')) });
  await assert.rejects(readLogs(fakeContext({ api: refuses.api }), [source('a')], {}), ApiError);
});

/** Follows until so many lines have come, or all looks are over. */
async function follow(parts: {
  api: unknown;
  looks: (LogSource[] | Error)[];
  lines: number;
  told?: [string, string][];
}) {
  const controller = new AbortController();
  const heard: LogLine[] = [];
  const lost: string[] = [];
  const looks = [...parts.looks];
  const following = followLogs(fakeContext({ api: parts.api, signal: controller.signal }), {
    look: async () => {
      const next = looks.length > 1 ? looks.shift() : looks[0];
      if (next instanceof Error) throw next;
      return next ?? [];
    },
    told: new Map(parts.told),
    onLine(line) {
      heard.push(line);
      if (heard.length >= parts.lines) controller.abort();
    },
    onLost: (why) => lost.push(why),
  });
  await assert.rejects(following, Interrupted);
  return { heard: texts(heard), lost };
}

test('following goes on from the last line that was told, and takes up pods that are new', async () => {
  const { api, asked } = server({
    a: '2026-01-02T03:04:05.1Z old\n2026-01-02T03:04:05.2Z told\n2026-01-02T03:04:05.3Z new\n',
    b: '2026-01-02T03:04:09Z of another pod\n',
  });
  const { heard } = await follow({
    api,
    looks: [[source('a', false)], [source('a', false), source('b', false)]],
    told: [['a', '2026-01-02T03:04:05.200000000Z']],
    lines: 2,
  });
  assert.deepEqual(heard, ['a new', 'b of another pod']);
  assert.match(asked[0] ?? '', /follow=true/);
  assert.match(decodeURIComponent(asked[0] ?? ''), /sinceTime=2026-01-02T03:04:05Z/);
  assert.equal(asked.filter((path) => path.includes('/a/')).length, 1, 'what has ended is not asked again');
});

test('a stream that breaks off, or that the API server ends while the container runs, is taken up again', async () => {
  let calls = 0;
  const { api } = server({
    a: async () => {
      calls += 1;
      if (calls === 2) throw new Unreachable('the API server does not answer');
      return `2026-01-02T03:04:05.1Z one\n${calls > 2 ? '2026-01-02T03:04:05.2Z two\n' : ''}`;
    },
  });
  const away = new Unreachable('the API server does not answer');
  const { heard, lost } = await follow({ api, looks: [[source('a')], away, away, [source('a')]], lines: 2 });
  assert.deepEqual(heard, ['a one', 'a two'], 'no line twice');
  assert.deepEqual(lost, ['the API server does not answer'], 'told once');
});

for (const [what, api, look] of [
  [
    'a log',
    server({ a: () => Promise.reject(new ApiError('/x', 403, 'no pods/log for ann')) }).api,
    async () => [source('a')],
  ],
  ['pods', server({}).api, () => Promise.reject(new ApiError('/x', 403, 'no pods for ann'))],
] as const) {
  test(`following ends with the reason where the login may not read ${what}`, async () => {
    const signal = new AbortController().signal;
    const following = followLogs(fakeContext({ api, signal }), {
      look,
      told: new Map(),
      onLine: () => {},
      onLost: () => assert.fail('it is not told as lost'),
    });
    await assert.rejects(following, /answered 403 to \/x: no pods.* for ann/);
  });
}

test('a bug in following is thrown, and not waited on', async () => {
  const { api } = server({ a: () => Promise.reject(new TypeError('a bug')) });
  const following = followLogs(fakeContext({ api, signal: new AbortController().signal }), {
    look: async () => [source('a')],
    told: new Map(),
    onLine: () => {},
    onLost: () => {},
  });
  await assert.rejects(following, /a bug/);
});

const workload = (kind: string, namespace: string, name: string) =>
  ({ apiVersion: 'apps/v1', kind, metadata: { name, namespace }, spec: {} }) as unknown as Workload;
const renamed = workload('Deployment', 'default', 'core');
renamed.metadata.labels = { 'app.kubernetes.io/name': 'core-go', 'app.kubernetes.io/part-of': 'platform' };
const all = [
  workload('Deployment', 'default', 'api-node'),
  renamed,
  workload('StatefulSet', 'argocd', 'argocd-application-controller'),
  workload('Deployment', 'argocd', 'argocd-server'),
  workload('Deployment', 'traefik', 'traefik'),
];
const cluster = fakeContext({
  config: { ingressController: 'traefik' },
  view: () => ({ list: async (_: string, kind: string) => all.filter((one) => one.kind === kind) }),
});

test('a word means a workload by its name, or all that belongs to Argo CD or the ingress', async () => {
  const names = async (word: string) => (await workloadsNamed(cluster, word)).map(({ metadata }) => metadata.name);
  assert.deepEqual(await names('api-node'), ['api-node']);
  assert.deepEqual([await names('core-go'), await names('core')], [['core'], ['core']]);
  assert.deepEqual(await names('argocd'), ['argocd-server', 'argocd-application-controller']);
  assert.deepEqual(await names('ingress'), ['traefik']);
  assert.match((await refusal(() => names('api-nodes'))).text, /Nothing .* "api-nodes"\.\nDid you mean api-node\?/);
  assert.match((await refusal(() => names('zzz'))).text, /There are api-node, argocd, argocd-application/);
});
