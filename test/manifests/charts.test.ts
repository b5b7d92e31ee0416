// What the charts make of values that no environment sets, what they refuse, and what CI's sed makes of them. How they render
// as they are is in test/golden; that they keep to the rules is for npm run validate to say.
import assert from 'node:assert/strict';
import { readlinkSync, realpathSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { describe, test } from 'node:test';
import { at, attempt, find, needsHelm, render, root, services } from '../support/helm.ts';

const container = ['spec', 'template', 'spec', 'containers', 0] as const;

// So one chart can stand for all in what follows.
for (const service of services) {
  test(`${service}: what it shares is linked, within the repository`, () => {
    for (const link of ['charts/common', 'values.schema.json']) {
      const path = join(root, 'helm', service, link);
      assert.equal(isAbsolute(readlinkSync(path)), false, link);
      assert.ok(realpathSync(path).startsWith(realpathSync(join(root, 'helm', 'common'))), link);
    }
  });
}

describe('what values change', needsHelm, () => {
  test('replicas are stated when no HPA decides them', async () => {
    const manifests = await render('core-go', { options: ['--set', 'autoscaling.enabled=false'] });
    assert.equal(at(find(manifests, 'Deployment'), 'spec', 'replicas'), 3);
    assert.equal(find(manifests, 'HorizontalPodAutoscaler'), undefined);
  });

  test('a changed variable changes the pod template', async () => {
    const options = ['--set', 'env.ENV=other'];
    const [before, after] = await Promise.all([render('core-go'), render('core-go', { options })]);
    const checksum = ['spec', 'template', 'metadata', 'annotations', 'checksum/config'];
    assert.match(String(at(find(after, 'Deployment'), ...checksum)), /^[0-9a-f]{64}$/);
    assert.notEqual(at(find(before, 'Deployment'), ...checksum), at(find(after, 'Deployment'), ...checksum));
  });

  test('no network policy', async () => {
    const manifests = await render('core-go', { options: ['--set', 'networkPolicy.enabled=false'] });
    assert.equal(find(manifests, 'NetworkPolicy'), undefined);
  });

  test('a custom metric is passed on, in front of the others', async () => {
    const metric = 'autoscaling.metrics[0]';
    const set = `${metric}.type=Pods,${metric}.pods.metric.name=jobs_waiting,${metric}.pods.target.type=AverageValue`;
    const options = ['--set', set, '--set-string', `${metric}.pods.target.averageValue=5`];
    const hpa = find(await render('worker-python', { options }), 'HorizontalPodAutoscaler');
    assert.deepEqual(at(hpa, 'spec', 'metrics', 0), {
      type: 'Pods',
      pods: { metric: { name: 'jobs_waiting' }, target: { type: 'AverageValue', averageValue: '5' } },
    });
    assert.equal(at(hpa, 'spec', 'metrics', 2, 'resource', 'name'), 'cpu');
  });

  test('several hosts, each with its paths', async () => {
    const hosts = 'ingress.hosts[0].host=a.example.com,ingress.hosts[1].host=b.example.com';
    const paths = ['/', '/v2'].map((path, index) => `ingress.hosts[${index}].paths[0].path=${path}`).join(',');
    const types = [0, 1].map((index) => `ingress.hosts[${index}].paths[0].pathType=Prefix`).join(',');
    const ingress = find(await render('api-node', { options: ['--set', `${hosts},${paths},${types}`] }), 'Ingress');
    const rules = at(ingress, 'spec', 'rules') as unknown[];
    assert.deepEqual(
      rules.map((rule) => [at(rule, 'host'), at(rule, 'http', 'paths', 0, 'path')]),
      [
        ['a.example.com', '/'],
        ['b.example.com', '/v2'],
      ],
    );
  });

  for (const [value, wanted] of [
    ['2', 2],
    ['50%', '50%'],
  ] as const) {
    test(`minAvailable ${value} in place of maxUnavailable, with three pods`, async () => {
      const budget = find(await render('api-node', { options: asMinimum(value) }), 'PodDisruptionBudget');
      assert.equal(at(budget, 'spec', 'minAvailable'), wanted);
      assert.equal(at(budget, 'spec', 'maxUnavailable'), undefined);
    });
  }
});

test('where Kubernetes knows no sleep, a stopping pod waits by the hook of the values alone', needsHelm, async () => {
  const hook = async (kubeVersion: string, ...options: string[]) =>
    at(find(await render('api-node', { kubeVersion, options }), 'Deployment'), ...container, 'lifecycle');
  const sleep = { preStop: { sleep: { seconds: 10 } } };
  assert.deepEqual([await hook('1.29.4'), await hook('1.30.0')], [undefined, sleep]);
  const own = ['--set', 'lifecycle.preStop.exec.command={/drain,now}'];
  assert.deepEqual(await hook('1.28.0', ...own), { preStop: { exec: { command: ['/drain', 'now'] } } });
});

function asMinimum(value: string): string[] {
  const set = value.endsWith('%') ? '--set-string' : '--set';
  return ['--set', 'podDisruptionBudget.maxUnavailable=null', set, `podDisruptionBudget.minAvailable=${value}`];
}

const nothingToGoBy = [
  '--set',
  'autoscaling.targetCPUUtilizationPercentage=null,autoscaling.targetMemoryUtilizationPercentage=null',
];
const port = 'container.extraPorts[0]';

// Those of a values file are in test/faults.
describe('what a chart refuses', needsHelm, () => {
  const noDrain = /minAvailable .* no node could be drained/;
  for (const [name, refused, reason] of [
    ['a port besides container.port', { options: ['--set-string', 'env.PORT=1'] }, /env\/PORT/],
    ['no eviction', { options: ['--set', 'podDisruptionBudget.maxUnavailable=0'] }, /maxUnavailable/],
    ['as many as there are, in prod', { environment: 'prod', options: asMinimum('3') }, noDrain],
    ['a part that is rounded up to all, in prod', { environment: 'prod', options: asMinimum('67%') }, noDrain],
    ['the only one, in dev', { environment: 'dev', options: asMinimum('1') }, noDrain],
    ['a part of the only one, in dev', { environment: 'dev', options: asMinimum('1%') }, noDrain],
    ['an autoscaler with nothing to go by', { options: nothingToGoBy }, /autoscaling has nothing to go by/],
    [
      'an account that nobody names',
      { options: ['--set', 'serviceAccount.create=false'] },
      /serviceAccount\.name has to/,
    ],
    ['a wait as long as the deadline', { options: ['--set', 'minReadySeconds=180'] }, /minReadySeconds must be less/],
    ['a label that selects', { options: ['--set', 'commonLabels.app\\.kubernetes\\.io/name=x'] }, /commonLabels/],
    [
      'two ways to probe',
      { options: ['--set', 'probes.liveness.grpc.port=1,probes.liveness.exec.command={a}'] },
      /probes/,
    ],
    [
      'a port that Prometheus would take',
      { options: ['--set', `${port}.name=metrics,${port}.containerPort=1`] },
      /extraPorts/,
    ],
    [
      'a second port for metrics of what serves nothing else',
      { service: 'worker-python', options: ['--set', 'container.metricsPort=9001'] },
      /metricsPort/,
    ],
    ['half a manifest', { options: ['--set', 'extraObjects[0].kin=Job'] }, /extraObjects\[0\] has to be one manifest/],
    ['an empty sealed secret', { options: ['--set', 'sealedSecret.enabled=true'] }, /encryptedData/],
    [
      'an ingress without a template',
      { service: 'worker-python', options: ['--set', 'ingress.enabled=true'] },
      /ingress/,
    ],
    ['a tag of digits, even without the schema', withTag('1234567'), /reads image\.tag as a number.*quotes/],
    ['an empty tag, even without the schema', withTag(''), /image\.tag is empty/],
  ] as const) {
    test(name, async () => {
      const { service = 'api-node', ...rendering } = { ...refused } as { service?: string };
      assert.match((await attempt(service, rendering)).refusal ?? 'rendered', reason);
    });
  }
});

function withTag(tag: string) {
  return { options: ['--skip-schema-validation', '--set', `image.tag=${tag}`] };
}

describe('a promotion by CI', needsHelm, () => {
  // YAML reads some short SHAs as numbers. 12e4567 is too large for one: a parser may take it as text, which is right.
  for (const [tag, outcome] of [
    ['abc1234', 'renders'],
    ['1234567', 'refused'],
    ['12e4567', 'either'],
    ['12e0045', 'refused'],
    ['0b10101', 'refused'],
    ['', 'refused'],
  ] as const) {
    test(`"${tag}" without quotes: ${outcome === 'renders' ? 'that image' : 'never another image'}`, async (t) => {
      const charts = await mkdtemp(join(tmpdir(), 'charts-'));
      t.after(() => rm(charts, { recursive: true, force: true }));
      await cp(join(root, 'helm'), charts, { recursive: true, verbatimSymlinks: true });
      const file = join(charts, 'api-node', 'values.yaml');
      const promoted = (await readFile(file, 'utf8'))
        .replace(/repository:.*/g, 'repository: ghcr.io/owner/api-node')
        .replace(/tag:.*/g, `tag: ${tag}`);
      await writeFile(file, promoted);

      const { manifests, refusal } = await attempt('api-node', { charts, environment: 'prod' });
      if (outcome !== 'either') assert.equal(refusal === undefined, outcome === 'renders', refusal ?? 'rendered');
      if (manifests === undefined) assert.match(refusal, /image.*tag/s);
      else assert.equal(at(find(manifests, 'Deployment'), ...container, 'image'), `ghcr.io/owner/api-node:${tag}`);
    });
  }
});
