import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Component } from '../../scripts/cluster/component.ts';
import { trackingId } from '../../scripts/cluster/ownership.ts';
import { diffApplications, diffComponents } from '../../scripts/delivery/diff/report.ts';
import { ApiError, Unreachable } from '../../scripts/kubernetes/api/api.ts';
import type { KubeObject } from '../../scripts/kubernetes/objects.ts';
import { UserError } from '../../scripts/lib/errors.ts';
import type { Application } from '../../scripts/repository/applications.ts';
import { application, facts, fakeApi, object } from '../support/diff.ts';
import { fakeContext, refusal } from '../support/fakes.ts';

const head = 'a'.repeat(40);
const project: KubeObject = {
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'AppProject',
  metadata: { name: 'platform' },
  spec: { namespaceResourceWhitelist: [{ group: '', kind: 'ConfigMap' }] },
};
const synced = (name: string, status: object = {}): Application => ({
  ...application(name),
  status: { sync: { status: 'Synced', revision: head, ...status }, health: { status: 'Healthy' } },
});
const manifest = (kind: string, name: string, more = '') =>
  `---\napiVersion: v1\nkind: ${kind}\nmetadata:\n  name: ${name}\n${more}`;
const deployed = (name: string) => ({
  [`/${name}`]: object('ConfigMap', name, {}, trackingId(object('ConfigMap', name), 'web')),
});

/** The differences of Applications, each rendering a text or failing; `live` is what the cluster has. */
function differences(
  charts: Record<string, string | Error>,
  {
    live = {},
    registered = Object.keys(charts).map((name) => synced(name)),
    spec = {},
    gitops,
  }: { live?: Record<string, KubeObject>; registered?: Application[]; spec?: object; gitops?: object } = {},
) {
  const { api } = fakeApi(live);
  const context = fakeContext({
    config: { gitops },
    api: () => api,
    view: () => ({ list: async () => registered }),
    checkout: async () => ({ head }),
  });
  const render = async ({ metadata }: Application) => {
    const chart = charts[metadata.name] ?? '';
    if (chart instanceof Error) throw chart;
    return chart;
  };
  const chosen = Object.keys(charts).map((name) => application(name, spec));
  return diffApplications(context, { facts, render }, chosen, [project, ...chosen]);
}

test('what is rendered is created, what is rendered no more is pruned', async () => {
  const [web] = await differences({ web: manifest('ConfigMap', 'new') }, { live: deployed('old') });
  assert.deepEqual(
    web?.changes.map(({ action, name }) => `${action} ${name}`),
    ['create new', 'prune old'],
  );
  assert.deepEqual([web?.notes, web?.refused, web?.kept, web?.error], [[], [], [], undefined]);
});

test('a kind that the project does not allow is refused, as the sync would be, and not asked for', async () => {
  const [web] = await differences({ web: manifest('Secret', 's') + manifest('ConfigMap', 'c') });
  assert.deepEqual(
    web?.refused.map(({ reason }) => reason),
    ['the project platform does not allow the kind Secret'],
  );
  assert.equal(web?.changes.length, 1);
});

test('hooks are told where there would be a sync, and only there', async () => {
  const hook = manifest('ConfigMap', 'migrate', '  annotations:\n    helm.sh/hook: pre-upgrade\n');
  const [changed] = await differences({ web: hook + manifest('ConfigMap', 'c') });
  assert.deepEqual(changed?.hooks, [{ kind: 'ConfigMap', namespace: 'default', name: 'migrate', phases: ['PreSync'] }]);
  assert.deepEqual((await differences({ web: hook }))[0]?.hooks, []);
});

test('a chart that can not be rendered is told, prunes nothing and hides no other', async () => {
  const broken = new UserError('web can not be rendered: line 3', { hint: 'Mend it.' });
  const [web, api] = await differences({ web: broken, api: manifest('ConfigMap', 'c') }, { live: deployed('old') });
  assert.deepEqual(web?.error, { message: broken.message, hint: 'Mend it.' });
  assert.deepEqual(web?.changes, []);
  assert.equal(api?.changes.length, 1);
});

test('a bug, or an API server that is gone, is no fault of a chart', async () => {
  await assert.rejects(differences({ web: new TypeError('a bug') }), TypeError);
  await assert.rejects(differences({ web: new Unreachable('gone') }), Unreachable);
});

const standings: [string, Application[], object | undefined, RegExp | undefined][] = [
  ['in step', [synced('web')], undefined, undefined],
  [
    'at another commit',
    [synced('web', { revision: 'b'.repeat(40) })],
    undefined,
    /at bbbbbbb, not yet at aaaaaaa: compared/,
  ],
  ['at a commit of another repository', [synced('web', { revision: 'b'.repeat(40) })], {}, undefined],
  ['out of sync', [synced('web', { status: 'OutOfSync' })], undefined, /Argo CD has it OutOfSync: compared is what/],
  ['not compared yet', [application('web')], undefined, /not compared yet/],
  ['not registered', [], undefined, /not registered yet: npm run up/],
];
for (const [what, registered, gitops, note] of standings) {
  test(`an Application that is ${what} is compared all the same${note ? ', and that is said' : ''}`, async () => {
    const [web] = await differences({ web: manifest('ConfigMap', 'c') }, { registered, ...(gitops && { gitops }) });
    assert.equal(web?.changes.length, 1);
    if (note) assert.match(web?.notes.join() ?? '', note);
    else assert.deepEqual(web?.notes, []);
  });
}

test('what can not be followed of ignoreDifferences is said', async () => {
  const spec = { ignoreDifferences: [{ kind: 'ConfigMap', jqPathExpressions: ['.data'] }] };
  const [web] = await differences({ web: '' }, { spec });
  assert.match(web?.notes.join() ?? '', /only jsonPointers are followed/);
});

test('an Application that would be emptied fails to sync, unless it allows that', async () => {
  const [web] = await differences({ web: '' }, { live: deployed('old') });
  assert.match(web?.notes.join() ?? '', /Nothing is rendered any more.* would fail/);
  const spec = { syncPolicy: { automated: { prune: true, allowEmpty: true } } };
  assert.deepEqual((await differences({ web: '' }, { live: deployed('old'), spec }))[0]?.notes, []);
});

test('an Application without its project is refused', async () => {
  const { text } = await refusal(() => differences({ web: '' }, { spec: { project: 'other' } }));
  assert.match(text, /web is in the project other, which argocd\/ does not have/);
});

const component = (name: string, objects?: () => KubeObject[]): Component => ({
  name,
  needs: [],
  status: () => assert.fail(),
  apply: () => assert.fail('nothing is applied'),
  ...(objects && { objects: async () => objects() }),
});

test('what up applies is compared under its own name, component by component, and one that fails hides no other', async () => {
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } };
  const gone = () => new ApiError('/x', 404, '{"message":"namespaces \\"default\\" not found"}');
  const { api, applied } = fakeApi({}, (one) => (one.kind === 'Namespace' ? one : gone()));
  const context = fakeContext({ api: () => api });
  const components = [
    component('tools', () => [namespace]),
    component('inside', () => [object('ConfigMap', 'c')]),
    component('broken', () => {
      throw new UserError('it could not be fetched', { hint: 'Go online.' });
    }),
    component('images'),
  ];
  const up = await diffComponents(context, facts, undefined, components);
  assert.deepEqual(
    up.map(({ component: name, changes, refused, error }) => [name, changes.length, refused.length, error?.message]),
    [
      ['tools', 1, 0, undefined],
      ['inside', 1, 0, undefined],
      ['broken', 0, 0, 'it could not be fetched'],
    ],
  );
  assert.deepEqual(new Set(applied.map(({ manager }) => manager)), new Set(['platform-ops']));
});

test('of one Application, up is asked for its registration alone', async () => {
  const context = fakeContext({ api: () => fakeApi({}).api });
  const kinds = {
    ...facts,
    kinds: [...facts.kinds, { ...facts.kinds[0], apiVersion: 'argoproj.io/v1alpha1', kind: 'Application' }],
  };
  const components = [
    component('applications', () => [application('web'), application('api')]),
    component('other', () => assert.fail('is not asked')),
  ];
  const up = await diffComponents(context, kinds as typeof facts, 'web', components);
  assert.deepEqual(
    up.map(({ changes }) => changes.map(({ name }) => name)),
    [['web']],
  );
});
