// How Prometheus comes to its configuration, and its optional parts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allComponents, componentsFor } from '../../scripts/components/index.ts';
import { prometheus, useClaim } from '../../scripts/components/prometheus.ts';
import { removeUnwantedAddOns } from '../../scripts/components/prometheus-add-ons.ts';
import {
  assertConfigurationValid,
  checksumRule,
  configurationNotLoaded,
  podDown,
  podNotUp,
  reloadConfiguration,
} from '../../scripts/components/prometheus-client.ts';
import { loadConfig } from '../../scripts/config/config.ts';
import { monitoringParts } from '../../scripts/config/settings.ts';
import { fieldManager } from '../../scripts/kubernetes/kubectl.ts';
import { identityOf, type KubeObject, nameOf } from '../../scripts/kubernetes/objects.ts';
import type { Pod } from '../../scripts/kubernetes/types.ts';
import { fakeCluster, made } from '../support/fake-cluster.ts';
import { fakeContext, refusal } from '../support/fakes.ts';
import { root } from '../support/helm.ts';

const namespace = 'observability';
const configMap = (name: string, data: Record<string, string>): KubeObject => ({
  ...made('ConfigMap', name, { namespace }),
  data,
});
const wanted = [
  configMap('prometheus-config', { 'prometheus.yml': 'a: 1' }),
  configMap('prometheus-rules', { 'r.yml': 'x' }),
];
const all = [...wanted, checksumRule(wanted)];
const checksum = /"checksum":"(\w+)"/.exec(String(Object.values(all.at(-1)?.data as object)[0]))?.[1] ?? assert.fail();

interface State {
  /** The checksum of what Prometheus has read. */
  loaded?: string;
  refused?: boolean;
  present?: KubeObject[];
  /** How many seconds ago the pod was touched last. */
  touched?: number;
  ready?: boolean;
  /** What promtool says, and its exit code. */
  promtool?: (check: string, input: string) => { exitCode: number; stderr: string };
}

const ago = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString();

/** A cluster in which Prometheus runs, that remembers what kubectl was told. */
function running({ loaded, refused, present = [], touched, ready = true, promtool }: State) {
  const calls: string[] = [];
  const inputs: string[] = [];
  const deployment = { ...made('Deployment', 'prometheus', { namespace }, 'apps/v1'), spec: { selector: {} } };
  const pod = {
    ...made('Pod', 'prometheus-1', {
      namespace,
      ...(touched !== undefined && { annotations: { 'platform-ops/touched': ago(touched) } }),
    }),
    status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  };
  const rules = loaded === undefined ? [] : [{ rules: [{ labels: { checksum: loaded } }] }];
  const context = fakeContext({
    api: () => ({
      list: async () => present,
      text: async (path: string) =>
        path.endsWith('/metrics')
          ? `a 1\nprometheus_config_last_reload_successful ${refused ? 0 : 1}\nb 2\n`
          : JSON.stringify({ data: { groups: rules } }),
    }),
    view: () => ({ list: async () => [deployment], podsOf: async () => [pod], forget: () => {} }),
    kubectl: async () => ({
      run: async (args: string[], { input = '' } = {}) => {
        calls.push(args.join(' '));
        inputs.push(input);
        return { stdout: '', stderr: '', exitCode: 0, ...promtool?.(args.join(' '), input) };
      },
    }),
  });
  return { context, calls, inputs };
}

test('a change of any file changes the checksum, and nothing else does', () => {
  const of = (...objects: KubeObject[]) => JSON.stringify(checksumRule(objects).data);
  assert.equal(of(...wanted, made('Service', 'prometheus')), of(...wanted));
  assert.notEqual(of(configMap('prometheus-config', { 'prometheus.yml': 'a: 2' })), of(...wanted.slice(0, 1)));
});

for (const [what, state, expected] of [
  ['has read it', { loaded: checksum }, undefined],
  ['has read another one', { loaded: 'abc' }, /not read its configuration yet/],
  ['has read one of somebody else', {}, /not read its configuration yet/],
  ['refuses it', { loaded: 'abc', refused: true }, /refuses its configuration/],
  ['refuses another one, and goes on with this one', { loaded: checksum, refused: true }, /refuses its configuration/],
] as const) {
  test(`a Prometheus that ${what}`, async () => {
    const missing = await configurationNotLoaded(running(state).context, all);
    if (expected === undefined) assert.equal(missing, undefined);
    else assert.match(missing ?? '', expected);
  });
}

for (const [what, state, isTouched] of [
  ['is behind', { loaded: 'abc' }, true],
  ['is behind, a minute after it was touched', { loaded: 'abc', touched: 60 }, true],
  ['is behind, and was touched a moment ago', { loaded: 'abc', touched: 2 }, false],
  ['refuses what somebody else has put there', { loaded: checksum, refused: true }, true],
  ['has read it at its start', { loaded: checksum }, false],
  ['is not ready yet', { ready: false }, false],
] as const) {
  test(`the pod is ${isTouched ? '' : 'not '}touched when it ${what}`, async () => {
    const { context, calls } = running(state);
    await reloadConfiguration(context, all);
    const annotate = /^annotate --namespace observability --overwrite pod\/prometheus-1 platform-ops\/touched=20\S+Z$/;
    assert.deepEqual(
      calls.filter((call) => annotate.test(call)),
      isTouched ? calls.slice(-1) : [],
    );
    // What was read before the refusal is only read again if something else changes.
    assert.equal(
      calls.some((call) => call.startsWith('patch configmap prometheus-rules-checksum ')),
      'refused' in state,
    );
  });
}

const failed = 'FAILED: parsing YAML file /dev/stdin: yaml: line 1: field a not found';
const broken = (_check: string, input: string) =>
  input === 'a: 1'
    ? { exitCode: 1, stderr: `  ${failed}\ncommand terminated with exit code 1` }
    : { exitCode: 0, stderr: '' };

test('what promtool refuses is told with its reason', async () => {
  const { context, inputs } = running({ promtool: broken });
  const { error } = await refusal(() => assertConfigurationValid(context, all));
  assert.equal(error.id, 'prometheus-refuses');
  assert.match(error.message, /prometheus\.yml: yaml: line 1: field a not found\.$/);
  assert.deepEqual(inputs, ['a: 1']);
});

test('what the cluster has already is not checked again, and rules are checked as rules', async () => {
  const { context, calls, inputs } = running({ promtool: broken, present: wanted.slice(0, 1) });
  await assertConfigurationValid(context, wanted);
  assert.deepEqual(inputs, ['x']);
  assert.match(calls[0] ?? '', / promtool check rules$/);
});

for (const [what, state] of [
  ['no Prometheus runs', { promtool: broken, ready: false }],
  ['kubectl can not reach it', { promtool: () => ({ exitCode: 1, stderr: 'pods "prometheus-1" not found' }) }],
] as const) {
  test(`nothing is refused where ${what}`, async () => {
    await assertConfigurationValid(running(state).context, all);
  });
}

test('a part is installed only if its setting asks for it, and known in any case', () => {
  const partsAmong = (components: readonly { name: string }[]) =>
    monitoringParts.filter((part) => components.some(({ name }) => name === part));
  const all = { KUBE_STATE_METRICS: 'true', NODE_EXPORTER: 'true', ALERTMANAGER: 'true' };
  assert.deepEqual(partsAmong(componentsFor(loadConfig('/nowhere', {}))), []);
  assert.deepEqual(partsAmong(componentsFor(loadConfig('/nowhere', all))), monitoringParts);
  assert.deepEqual(partsAmong(allComponents()), monitoringParts);
});

/** What `up` applied, which alone is removed. */
const managedFields = [{ manager: fieldManager, operation: 'Apply' }];

const configured = (chosen: readonly string[], prometheusStorage = 'ephemeral') => ({
  root,
  parts: chosen,
  prometheusStorage,
  ingressController: 'nginx',
});

test('a part that is no longer wanted is removed, with its rules, and one that is stays', async () => {
  const ours = { namespace, managedFields };
  const space = made('Namespace', namespace, { managedFields });
  const fake = fakeCluster([
    made('Deployment', 'alertmanager', ours, 'apps/v1'),
    made('Deployment', 'kube-state-metrics', ours, 'apps/v1'),
    made('ConfigMap', 'prometheus-rules-kube-state-metrics', ours),
    made('ClusterRole', 'kube-state-metrics', { managedFields }, 'rbac.authorization.k8s.io/v1'),
    space,
  ]);
  const others = fakeContext({ config: configured([...monitoringParts]) });
  const [isAlertmanager, isStateMetrics] = await Promise.all(
    ['alertmanager', 'kube-state-metrics'].map((part) =>
      allComponents()
        .find(({ name }) => name === part)
        ?.owns?.(others),
    ),
  );
  assert.deepEqual(
    fake.objects.map((one) => isAlertmanager?.(one)),
    [true, false, false, false, false],
  );
  assert.deepEqual(
    fake.objects.map((one) => isStateMetrics?.(one)),
    [false, true, true, true, false],
  );
  const view = { list: fake.api().list, forget: () => {}, podsOf: async () => [] };
  const parts = { config: configured(['alertmanager']), view: () => view, timeout: 3000 };
  // The namespace is in the folder of each part as well.
  await removeUnwantedAddOns(fakeContext({ ...fake, ...parts, signal: new AbortController().signal }));
  assert.deepEqual(fake.objects.map(nameOf), [`Deployment ${namespace}/alertmanager`, nameOf(space)]);
});

test('the claim takes the place of the volume that goes with the pod', () => {
  const deployment = (volumes: object[]): KubeObject => ({
    ...made('Deployment', 'prometheus'),
    spec: { template: { spec: { volumes } } },
  });
  const volumes = [{ name: 'config' }, { name: 'data', emptyDir: {} }];
  const claim = made('PersistentVolumeClaim', 'prometheus');
  const [changed] = useClaim([deployment(volumes)], [claim]);
  assert.deepEqual(
    changed?.spec,
    deployment([{ name: 'config' }, { name: 'data', persistentVolumeClaim: { claimName: 'prometheus' } }]).spec,
  );
  assert.deepEqual(useClaim([deployment(volumes)], [])[0]?.spec, deployment(volumes).spec);
  assert.throws(() => useClaim([deployment([])], [claim])[0]?.spec, /no volume data/);
});

test('its links lead to where the ingress shows it, at the port that is set', async () => {
  const config = { ...configured([]), ports: { http: 9080, https: 9443 } };
  const objects = (await prometheus.objects?.(fakeContext({ config }))) ?? [];
  const addresses = JSON.stringify(objects.filter(({ kind }) => kind === 'Deployment')).match(
    /--web\.external-url=[^"]*/g,
  );
  assert.deepEqual(addresses, ['--web.external-url=https://prometheus.localhost:9443/']);
});

test('the claim belongs to Prometheus, whether this run asks for it or not', async () => {
  const owns = await prometheus.owns?.(fakeContext({ config: configured([]) }));
  const claim = { ...made('PersistentVolumeClaim', 'prometheus', { namespace, managedFields }) };
  assert(owns?.(claim), identityOf(claim));
});

test('a pod of a service that is not up is told with the reason that Prometheus has', async () => {
  const wanted = ['a', 'b'].map((name) => made('Pod', name, { namespace: 'default' }) as Pod);
  const lastError = 'received unsupported Content-Type "" and no fallback_scrape_protocol specified for target';
  const up = { labels: { pod: 'a' }, health: 'up', lastError: '' };
  for (const [targets, expected] of [
    [
      [up, { labels: { pod: 'b' }, health: 'down', lastError }],
      `Prometheus does not see the pod default/b up: ${lastError}`,
    ],
    [[up, { labels: { pod: 'b' }, health: 'unknown', lastError: '' }], 'Prometheus does not see the pod default/b up'],
    [[up], 'Prometheus does not see the pod default/b up'],
    [[up, { ...up, labels: { pod: 'b' } }], undefined],
  ] as const) {
    const context = fakeContext({ api: () => ({ json: async () => ({ data: { activeTargets: targets } }) }) });
    assert.equal(await podNotUp(context, wanted), expected);
  }
});

test('a pod that is down is waited for; one that is up or was never scraped, or a node, is not', async () => {
  const labels = { namespace: 'argocd', pod: 'a-1' };
  for (const [target, expected] of [
    [{ health: 'down', labels, lastError: 'refused' }, /argocd\/a-1 up: refused$/],
    [{ health: 'up', labels }, /^undefined$/],
    [{ health: 'unknown', labels }, /^undefined$/],
    [{ health: 'down', labels: { instance: 'node' } }, /^undefined$/],
  ] as const) {
    const context = fakeContext({ api: () => ({ json: async () => ({ data: { activeTargets: [target] } }) }) });
    assert.match(`${await podDown(context)}`, expected);
  }
});
