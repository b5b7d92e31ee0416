import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { at, attempt, environments, find, needsHelm, render, services } from '../support/helm.ts';

const name = (object: unknown): unknown => at(object, 'metadata', 'labels', 'app.kubernetes.io/name');

describe('autoscaling', needsHelm, () => {
  test('memory comes before CPU, the order in which the API server gives them back', async () => {
    const spec = at(find(await render('api-node'), 'HorizontalPodAutoscaler'), 'spec');
    const metrics = at(spec, 'metrics') as unknown[];
    assert.deepEqual(
      metrics.map((metric) => at(metric, 'resource', 'name')),
      ['memory', 'cpu'],
    );
    assert.equal(at(spec, 'behavior', 'scaleDown', 'stabilizationWindowSeconds'), 300);
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
});

describe('the disruption budget', needsHelm, () => {
  const asMinimum = (value: string) => [
    '--set',
    'podDisruptionBudget.maxUnavailable=null',
    value.endsWith('%') ? '--set-string' : '--set',
    `podDisruptionBudget.minAvailable=${value}`,
  ];

  for (const [value, wanted] of [
    ['2', 2],
    ['50%', '50%'],
  ] as const) {
    test(`minAvailable ${value} in place of maxUnavailable, with three pods`, async () => {
      const budget = find(await render('api-node', { options: asMinimum(value) }), 'PodDisruptionBudget');
      assert.equal(at(budget, 'spec', 'minAvailable'), wanted);
      assert.equal(at(budget, 'spec', 'maxUnavailable'), undefined);
      assert.equal(at(budget, 'spec', 'unhealthyPodEvictionPolicy'), 'AlwaysAllow');
    });
  }

  for (const [environment, value] of [
    ['prod', '3'],
    ['prod', '67%'],
    ['dev', '1'],
    ['dev', '1%'],
  ] as const) {
    test(`minAvailable ${value} in ${environment} would block a drain, and is refused`, async () => {
      const { refusal } = await attempt('api-node', { environment, options: asMinimum(value) });
      assert.match(refusal ?? 'rendered', /minAvailable .* no node could be drained/);
    });
  }

  test('both at once are refused', async () => {
    const { refusal } = await attempt('api-node', { options: ['--set', 'podDisruptionBudget.minAvailable=1'] });
    assert.match(refusal ?? 'rendered', /podDisruptionBudget.*oneOf/);
  });
});

describe('who may talk to whom', needsHelm, () => {
  const peers = async (service: string) => {
    const policy = find(await render(service), 'NetworkPolicy');
    const named = (index: number) =>
      at(policy, 'spec', 'ingress', 0, 'from', index, index === 0 ? 'namespaceSelector' : 'podSelector');
    const calls = (at(policy, 'spec', 'egress') as unknown[]).slice(1);
    return {
      namespaces: at(named(0), 'matchExpressions', 0, 'values'),
      callers: at(named(1), 'matchExpressions', 0, 'values'),
      called: calls.map((each) => at(each, 'to', 0, 'podSelector', 'matchLabels', 'app.kubernetes.io/name')),
    };
  };

  test('the ingress controller calls api-node, which calls core-go; Prometheus calls all', async () => {
    assert.deepEqual(await peers('api-node'), {
      namespaces: ['ingress-nginx', 'traefik', 'observability'],
      callers: ['api-node-test'],
      called: ['core-go'],
    });
    assert.deepEqual(await peers('core-go'), {
      namespaces: ['observability'],
      callers: ['api-node', 'core-go-test'],
      called: [],
    });
    assert.deepEqual(await peers('worker-python'), {
      namespaces: ['observability'],
      callers: ['worker-python-test'],
      called: [],
    });
  });

  test('a value turns it off', async () => {
    const manifests = await render('core-go', { options: ['--set', 'networkPolicy.enabled=false'] });
    assert.equal(find(manifests, 'NetworkPolicy'), undefined);
  });
});

describe('the pod of helm test', needsHelm, () => {
  for (const service of services) {
    test(`${service}: is no pod of the service, and asks it`, async () => {
      const manifests = await render(service);
      const pod = find(manifests, 'Pod');
      assert.equal(at(pod, 'metadata', 'annotations', 'helm.sh/hook'), 'test');
      assert.notEqual(name(pod), at(find(manifests, 'Service'), 'spec', 'selector', 'app.kubernetes.io/name'));
      assert.match(String(at(pod, 'spec', 'containers', 0, 'command', 3)), new RegExp(`http://${service}:\\d+\\$`));
    });
  }
});

describe('the ingress', needsHelm, () => {
  test('limits what one address may send, in each environment', async () => {
    for (const environment of environments) {
      const ingress = find(await render('api-node', { environment }), 'Ingress');
      assert.equal(at(ingress, 'metadata', 'annotations', 'nginx.ingress.kubernetes.io/limit-rps'), '50', environment);
    }
  });

  test('takes several hosts, each with its paths', async () => {
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
});
