import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectGrafana } from '../../scripts/components/grafana.ts';
import { ApiError } from '../../scripts/kubernetes/api/api.ts';
import { base64 } from '../../scripts/lib/secret.ts';
import { fakeContext, refusal } from '../support/fakes.ts';

const password = 'canary-password';
const classic = '/apis/dashboard.grafana.app/v1beta1/namespaces/default/dashboards/a';

/** A Grafana that gives these answers by path, and keeps what it was asked. */
function grafanaWith(answers: Record<string, { status?: number; body?: unknown }>) {
  const asked: { path: string; authorization: string | undefined }[] = [];
  const secrets: string[] = [];
  const context = fakeContext({
    config: { clusterName: 'c' },
    api: () => ({
      json: async (path: string) => {
        secrets.push(path);
        return { data: { password: base64(password) } };
      },
    }),
  });
  const grafana = connectGrafana(context, async (_, { host }, path, options) => {
    asked.push({ path: `${host}${path}`, authorization: options?.headers?.authorization });
    const { status, body } = answers[path] ?? { status: 404, body: { message: 'Dashboard not found' } };
    const text = typeof body === 'string' ? body : JSON.stringify(body ?? '');
    if (status === 200) return { status, body: text };
    return { ...(status !== undefined && { status }), body: text, missing: `https://${host}${path} answers ${status}` };
  });
  return { grafana, asked, secrets };
}

test('dashboards come sorted, the password is read once and goes into the header alone', async () => {
  const list = [
    { uid: 'b', title: 'B', url: '/d/b' },
    { uid: 'a', title: 'A' },
  ];
  const { grafana, asked, secrets } = grafanaWith({
    '/api/search?type=dash-db&limit=5000': { status: 200, body: list },
    '/api/dashboards/uid/a': { status: 200, body: { meta: {}, dashboard: { uid: 'a' } } },
  });
  assert.deepEqual(await grafana.dashboards(), [
    { uid: 'a', title: 'A' },
    { uid: 'b', title: 'B' },
  ]);
  assert.deepEqual(await grafana.dashboard('a'), { uid: 'a' });
  assert.deepEqual(secrets, ['/api/v1/namespaces/observability/secrets/grafana-admin']);
  assert(asked.every(({ authorization }) => authorization === `Basic ${base64(`admin:${password}`)}`));
  assert(asked.every(({ path }) => path.startsWith('grafana.localhost/') && !path.includes(password)));
});

test('a dashboard that was saved in the form of Grafana 13 is asked for in the classic one', async () => {
  const refused = { status: 406, body: { message: 'dashboard api version not supported' } };
  const resource = { metadata: { name: 'a' }, spec: { title: 'A', panels: [{ id: 1 }] } };
  const { grafana } = grafanaWith({ '/api/dashboards/uid/a': refused, [classic]: { status: 200, body: resource } });
  assert.deepEqual(await grafana.dashboard('a'), { title: 'A', panels: [{ id: 1 }], uid: 'a' });

  const failed = { ...resource, status: { conversion: { failed: true, error: 'tabs' } } };
  const tabs = grafanaWith({ '/api/dashboards/uid/a': refused, [classic]: { status: 200, body: failed } });
  const { text } = await refusal(() => tabs.grafana.dashboard('a'));
  assert.match(text, /can't give a in the classic form.*tabs\nLeave tabs/);
});

test('a data source is asked through Grafana', async () => {
  const path = '/api/datasources/proxy/uid/prometheus/api/v1/query?query=up';
  const { grafana } = grafanaWith({ [path]: { status: 200, body: { status: 'success' } } });
  const answer = await grafana.throughDataSource('prometheus', '/api/v1/query?query=up');
  assert.deepEqual(answer, { status: 'success' });
});

const refusals: [string, { status?: number; body?: unknown }, RegExp][] = [
  ['does not answer', {}, /^Grafana can't be asked: .*\nnpm run status$/],
  ['has another password', { status: 401 }, /password .* one of the two was changed\.\n.*rollout restart/],
  ['does not know the dashboard', { status: 404 }, /^Grafana has no dashboard a\.\nnpm run dashboards$/],
  ['is out of order', { status: 500, body: 'out of order' }, /^Grafana refuses: .* answers 500: out of order/],
  ['answers with a page', { status: 200, body: '<html>' }, /something that is no JSON/],
];
for (const [what, answer, expected] of refusals) {
  test(`a Grafana that ${what} is told of in one sentence, without the password`, async () => {
    const { grafana } = grafanaWith({ '/api/dashboards/uid/a': answer });
    const { error, text } = await refusal(() => grafana.dashboard('a'));
    assert.match(text, expected);
    assert(!`${text}${error.stack}`.includes(password) && !text.includes(base64(password)));
  });
}

test('without its Secret nothing is asked', async () => {
  const context = fakeContext({ api: () => ({ json: async () => Promise.reject(new ApiError('/x', 404, '')) }) });
  const { text } = await refusal(() => connectGrafana(context, () => assert.fail()).dashboards());
  assert.match(text, /The secret observability\/grafana-admin is not there/);
});
