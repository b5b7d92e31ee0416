import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Grafana, withAnonymousAccess } from '../../scripts/components/grafana.ts';
import {
  applyPull,
  compareDashboards,
  type DashboardState,
  dashboardDiff,
  dashboardState,
  planPull,
} from '../../scripts/delivery/dashboards.ts';
import { ApiError } from '../../scripts/kubernetes/api/api.ts';
import { type KubeObject, parseObjects } from '../../scripts/kubernetes/objects.ts';
import {
  assertUid,
  dashboardPath,
  readAllowedEmpty,
  readDashboards,
} from '../../scripts/repository/dashboards/files.ts';
import { fileText, type JsonMap, normalForm } from '../../scripts/repository/dashboards/normal-form.ts';
import { hasData, panelQueriesOf } from '../../scripts/repository/dashboards/queries.ts';
import { fakeContext, refusal, temporaryFolder } from '../support/fakes.ts';
import { root } from '../support/helm.ts';

const folder = join(root, 'observability/grafana/dashboards');
const files = readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')] as const);

/** What Grafana's server and browser do to a dashboard that nobody changed, as far as that is documented. */
function throughGrafana(text: string): JsonMap {
  const shuffled = (value: JsonMap[string]): JsonMap[string] => {
    if (Array.isArray(value)) return value.map(shuffled);
    if (typeof value !== 'object' || value === null) return value;
    const fields = Object.keys(value).sort().reverse();
    return Object.fromEntries(fields.map((field) => [field, shuffled(value[field] ?? null)]));
  };
  const dashboard = shuffled(JSON.parse(text) as JsonMap) as JsonMap & {
    panels: JsonMap[];
    templating: { list: JsonMap[] };
  };
  const annotations = (dashboard.annotations as { list: JsonMap[] }).list;
  const builtIn = { builtIn: 1, datasource: { type: 'grafana', uid: '-- Grafana --' }, enable: true, hide: true };
  return {
    ...dashboard,
    id: 17,
    version: 3,
    iteration: 1700000000,
    weekStart: '',
    fiscalYearStartMonth: 0,
    preload: false,
    annotations: { list: [builtIn, ...annotations] },
    panels: dashboard.panels.map((panel) => ({ ...panel, pluginVersion: '13.2.3' })),
    templating: {
      list: dashboard.templating.list.map((one) => ({
        ...one,
        options: one.type === 'query' ? [{ selected: true, text: 'All', value: '$__all' }] : [],
        current: { ...(one.current as JsonMap), selected: false },
      })),
    },
  };
}

for (const [name, text] of files) {
  test(`pulling ${name} unchanged changes no byte`, () => {
    assert.equal(fileText(JSON.parse(text)), text);
    assert.equal(fileText(throughGrafana(text)), text);
  });
}

test('the normal form leaves out what says nothing, inside of rows as well, and nothing else', () => {
  const panel = { title: 'P', id: 2, pluginVersion: '11', version: 5, datasource: { uid: 'prometheus' } };
  const form = normalForm({
    version: 1,
    panels: [{ panels: [panel], type: 'row', id: 1 }],
    uid: 'a',
    weekStart: 'monday',
  });
  assert.equal(
    JSON.stringify(form),
    JSON.stringify({
      uid: 'a',
      annotations: { list: [] },
      templating: { list: [] },
      weekStart: 'monday',
      panels: [
        {
          id: 1,
          type: 'row',
          panels: [{ id: 2, title: 'P', datasource: { uid: 'prometheus' }, version: 5 }],
        },
      ],
    }),
  );
});

test('what a person chose in the browser is kept: values of their own, and what a variable begins with', () => {
  const custom = {
    type: 'custom',
    name: 'size',
    options: [{ text: 'a', value: 'a' }],
    current: { text: 'a', value: 'a' },
  };
  const { templating } = normalForm({ templating: { list: [custom] } }) as { templating: { list: JsonMap[] } };
  assert.deepEqual(templating.list, [custom]);
});

const states: [string | undefined, string | undefined, string | undefined, DashboardState][] = [
  ['a', 'a', 'a', 'same'],
  ['b', 'b', 'a', 'same'],
  ['a', 'b', 'a', 'changed in Grafana'],
  ['b', 'a', 'a', 'changed here'],
  ['b', 'c', 'a', 'changed in both'],
  ['b', 'c', undefined, 'changed in both'],
  [undefined, 'a', undefined, 'new in Grafana'],
  ['a', undefined, undefined, 'only here'],
];
for (const [here, there, applied, state] of states) {
  test(`file ${here}, Grafana ${there}, given last ${applied}: ${state}`, () =>
    assert.equal(dashboardState(here, there, applied), state));
}

const namespace = 'apiVersion: v1\nkind: Namespace\nmetadata: { name: observability }\n';
const deployment = [
  'volumes:',
  '  - name: dashboards',
  '    projected:',
  '      sources:',
  '        - configMap:',
  '            name: grafana-dashboard-one',
  '  - {name: admin, secret: {defaultMode: 0440}}',
  '',
].join('\n');

const dashboard = (uid: string, title: string): JsonMap => ({ uid, title, panels: [{ id: 1, title: 'P' }] });

/** A checkout with one dashboard, which `npm run up` brought to Grafana as it was committed. */
async function scene(inGrafana: Record<string, JsonMap>, inFile = dashboard('one', 'One')) {
  const checkout = await temporaryFolder();
  mkdirSync(join(checkout, 'observability/grafana/dashboards'), { recursive: true });
  mkdirSync(join(checkout, 'observability/prometheus'));
  writeFileSync(join(checkout, 'observability/prometheus/namespace.yaml'), namespace);
  writeFileSync(join(checkout, 'observability/grafana/deployment.yaml'), deployment);
  writeFileSync(join(checkout, dashboardPath('one')), fileText(inFile));
  const applied = { 'one.json': JSON.stringify(dashboard('one', 'One')) };
  const context = fakeContext({ config: { root: checkout }, api: () => ({ json: async () => ({ data: applied }) }) });
  const grafana: Grafana = {
    dashboards: async () => Object.entries(inGrafana).map(([uid, { title }]) => ({ uid, title: String(title) })),
    dashboard: async (uid) => inGrafana[uid] ?? assert.fail(uid),
    throughDataSource: () => assert.fail(),
  };
  const pull = async (uids: string[] = [], replace = false) => {
    const compared = await compareDashboards(context, uids, grafana);
    const plan = compared.map((one) => planPull(one, () => replace));
    await applyPull(checkout, compared, plan);
    return plan.map(({ uid, result }) => `${uid} ${result}`);
  };
  const text = (file: string) => readFileSync(join(checkout, file), 'utf8');
  return { checkout, context, grafana, pull, text };
}

test('what was saved in Grafana is written, what is new there becomes a file that the ConfigMap takes', async () => {
  const changed = { ...dashboard('one', 'One'), version: 4, refresh: '1m' };
  const { pull, text, checkout } = await scene({ one: changed, two: dashboard('two', 'Two') });
  assert.deepEqual(await pull(), ['one written', 'two written']);
  assert.equal(text(dashboardPath('one')), fileText(changed));
  assert.deepEqual([...(await readDashboards(checkout)).keys()], ['one', 'two']);
  const source = '        - configMap:\n            name: grafana-dashboard-one\n';
  const expected = deployment.replace(source, source + source.replace('one', 'two'));
  const [manifest, mounted] = ['configmap-dashboards', 'deployment'].map(
    (name) => `observability/grafana/${name}.yaml`,
  );
  const applied = () => parseObjects(text(manifest ?? '')).map(({ data }) => Object.values(data ?? {})[0]);
  for (const again of ['one unchanged', 'two unchanged']) {
    assert.equal(text(mounted ?? ''), expected);
    assert.deepEqual(applied(), [undefined, text(dashboardPath('one')), text(dashboardPath('two'))]);
    assert((await pull()).includes(again));
  }
});

test('a file that is not in its normal form is left alone where Grafana shows the same', async () => {
  const { pull, text, checkout } = await scene({ one: dashboard('one', 'One') });
  const byHand = JSON.stringify(dashboard('one', 'One'), undefined, 4);
  writeFileSync(join(checkout, dashboardPath('one')), byHand);
  assert.deepEqual(await pull(), ['one unchanged']);
  assert.equal(text(dashboardPath('one')), byHand);
});

test('what was changed in the file alone is not undone, and what was changed on both sides only on demand', async () => {
  const here = await scene({ one: dashboard('one', 'One') }, dashboard('one', 'Mine'));
  assert.deepEqual(await here.pull(), ['one kept']);
  assert.match(here.text(dashboardPath('one')), /Mine/);
  const both = await scene({ one: dashboard('one', 'Theirs') }, dashboard('one', 'Mine'));
  assert.deepEqual(await both.pull(), ['one refused']);
  assert.match(both.text(dashboardPath('one')), /Mine/);
  assert.deepEqual(await both.pull(['one'], true), ['one written']);
  assert.match(both.text(dashboardPath('one')), /Theirs/);
});

test('a dashboard that nobody has, a file that is no JSON and a uid that is no name are refused', async () => {
  const { context, grafana, checkout } = await scene({ one: dashboard('one', 'One') });
  assert.match((await refusal(() => compareDashboards(context, ['three'], grafana))).text, /no dashboard three/);
  assert.match((await refusal(() => assertUid('../../x'))).text, /can't be the name of a file/);
  writeFileSync(join(checkout, dashboardPath('one')), '{');
  const { text } = await refusal(() => compareDashboards(context, [], grafana));
  assert.match(text, /^observability\/grafana\/dashboards\/one\.json is no JSON: .*\nnpm run validate/);
});

test('without a ConfigMap in the cluster the files are compared all the same', async () => {
  const { context, grafana } = await scene({ one: dashboard('one', 'Theirs') });
  const bare = { ...context, api: () => ({ json: async () => Promise.reject(new ApiError('/x', 404, '')) }) };
  const [only] = await compareDashboards(fakeContext(bare), [], grafana);
  assert.equal(only?.state, 'changed in both');
});

test('a difference is shown as Git shows it', async () => {
  const { context, grafana } = await scene({ one: dashboard('one', 'Theirs'), two: dashboard('two', 'Two') });
  const [one, two] = await compareDashboards(context, [], grafana);
  assert(one && two);
  const difference = await dashboardDiff(one);
  assert.match(difference, /^--- observability\/grafana\/dashboards\/one\.json\n\+\+\+ one in Grafana\n@@/);
  assert.match(difference, /^-\s+"title": "One",\n\+\s+"title": "Theirs",$/m);
  assert.match(await dashboardDiff(two), /^--- \/dev\/null\n\+\+\+ two in Grafana\n@@/);
  assert.equal(await dashboardDiff({ ...one, state: 'same' }), '');
});

test('a question is asked with everything chosen, and a constant as it is', () => {
  const json = {
    uid: 'd',
    templating: {
      list: [
        { name: 'service', type: 'constant', query: 'api-node' },
        { name: 'namespace', type: 'query' },
      ],
    },
    panels: [
      {
        type: 'row',
        panels: [{ title: 'P', targets: [{ expr: 'rate(a{s="$service",n=~"[[namespace]]"}[$__rate_interval])' }, {}] }],
      },
    ],
  };
  assert.deepEqual(panelQueriesOf(json), [{ dashboard: 'd', panel: 'P', expr: 'rate(a{s="api-node",n=~".+"}[1m])' }]);
});

test('no question of a dashboard has a variable left in it', () => {
  const questions = files.flatMap(([, text]) => panelQueriesOf(JSON.parse(text)));
  assert(questions.length > 60, `${questions.length} questions`);
  assert.deepEqual(
    questions.filter(({ expr }) => /\$|\[\[|grafana_variable/.test(expr)),
    [],
  );
});

test('an answer without a number has no data', () => {
  const answer = (...values: string[]) => ({
    data: { result: values.map((value) => ({ value: [0, value] as [number, string] })) },
  });
  assert.equal(hasData(answer()), false);
  assert.equal(hasData(answer('NaN', 'NaN')), false);
  assert.equal(hasData(answer('NaN', '0')), true);
});

test('what may be empty is read, and an empty file allows nothing', () => {
  assert.deepEqual(readAllowedEmpty('# nothing\n'), { panels: [], rules: [] });
  const entry = { dashboard: 'a', panel: 'P', reason: 'Because.' };
  assert.deepEqual(readAllowedEmpty(JSON.stringify({ panels: [entry] })), { panels: [entry], rules: [] });
});

test('Grafana lets somebody without a password look only where that is asked for', () => {
  const template = { spec: { containers: [{ name: 'grafana', env: [{ name: 'A', value: 'b' }] }] } };
  const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'grafana' }, spec: { template } };
  const names = (wanted: boolean) => {
    const [object] = withAnonymousAccess([deployment as KubeObject], wanted);
    const { spec } = object as unknown as typeof deployment;
    return spec.template.spec.containers[0]?.env.map(({ name, value }) => `${name}=${value}`);
  };
  assert.deepEqual(names(false), ['A=b']);
  assert.deepEqual(names(true), ['A=b', 'GF_AUTH_ANONYMOUS_ENABLED=true', 'GF_AUTH_ANONYMOUS_ORG_ROLE=Viewer']);
  assert.equal(template.spec.containers[0]?.env.length, 1, 'the manifest itself is left as it is');
});
