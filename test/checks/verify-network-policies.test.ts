import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blockingPolicies, type ConnectionEnd, type NetworkPolicy } from '../../scripts/checks/verify/target-down.ts';

const named = (namespace: string) => ({ 'kubernetes.io/metadata.name': namespace });
const prometheus: ConnectionEnd = {
  namespace: 'observability',
  namespaceLabels: named('observability'),
  labels: { app: 'prometheus' },
};
const pod = {
  namespace: 'default',
  namespaceLabels: named('default'),
  labels: { app: 'core-go' },
  ports: [8080, 'http'],
};

function policy(name: string, spec: NetworkPolicy['spec'], namespace = 'default'): NetworkPolicy {
  return { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name, namespace }, spec };
}
const own = { podSelector: { matchLabels: { app: 'core-go' } }, policyTypes: ['Ingress'] };
const fromNamespace = (...values: string[]) => ({
  namespaceSelector: { matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In' as const, values }] },
});

const cases: [what: string, policies: NetworkPolicy[], inTheWay: string[]][] = [
  ['no policy', [], []],
  [
    'one that lets its namespace in',
    [policy('a', { ...own, ingress: [{ from: [fromNamespace('observability')] }] })],
    [],
  ],
  [
    'one that lets another namespace in',
    [policy('a', { ...own, ingress: [{ from: [fromNamespace('monitoring')] }] })],
    ['a'],
  ],
  ['one that lets nobody in', [policy('a', own)], ['a']],
  ['one that lets nobody in, for other pods', [policy('a', { podSelector: { matchLabels: { app: 'x' } } })], []],
  ['one that lets nobody in, in another namespace', [policy('a', { podSelector: {} }, 'other')], []],
  [
    'one for all pods, beside one that lets it in',
    [policy('a', { podSelector: {} }), policy('b', { ...own, ingress: [{}] })],
    [],
  ],
  ['one that lets everybody in, at that port', [policy('a', { ...own, ingress: [{ ports: [{ port: 'http' }] }] })], []],
  [
    'one that lets everybody in, at another port',
    [policy('a', { ...own, ingress: [{ ports: [{ port: 9 }] }] })],
    ['a'],
  ],
  [
    'one that lets in pods of its own namespace',
    [policy('a', { ...own, ingress: [{ from: [{ podSelector: {} }] }] })],
    ['a'],
  ],
  [
    'one that lets in such pods of such a namespace',
    [
      policy('a', {
        ...own,
        ingress: [
          { from: [{ ...fromNamespace('observability'), podSelector: { matchLabels: { app: 'prometheus' } } }] },
        ],
      }),
    ],
    [],
  ],
  [
    'one that lets addresses in',
    [policy('a', { ...own, ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }] })],
    [],
  ],
  ['one for what goes out of the pod', [policy('a', { podSelector: {}, policyTypes: ['Egress'] })], []],
  [
    'one that lets nothing out of Prometheus',
    [policy('a', { podSelector: {}, policyTypes: ['Egress'] }, 'observability')],
    ['a'],
  ],
  [
    'one that lets Prometheus out to that namespace',
    [
      policy(
        'a',
        { podSelector: {}, policyTypes: ['Egress'], egress: [{ to: [fromNamespace('default')] }] },
        'observability',
      ),
    ],
    [],
  ],
  [
    'one without types, and with rules for both directions',
    [policy('a', { podSelector: {}, egress: [] }, 'observability')],
    ['a'],
  ],
];
for (const [what, policies, expected] of cases) {
  test(`between Prometheus and a pod: ${what}`, () =>
    assert.deepEqual(
      blockingPolicies(policies, prometheus, pod).map(({ metadata }) => metadata.name),
      expected,
    ));
}

test('selectors ask for labels that are there, that are not, or that have another value', () => {
  const asks = (operator: 'NotIn' | 'Exists' | 'DoesNotExist', key: string, values?: string[]) =>
    blockingPolicies(
      [
        policy('a', {
          ...own,
          ingress: [
            { from: [{ namespaceSelector: { matchExpressions: [{ key, operator, ...(values && { values }) }] } }] },
          ],
        }),
      ],
      prometheus,
      pod,
    ).length === 0;
  const name = 'kubernetes.io/metadata.name';
  assert.deepEqual(
    [asks('Exists', name), asks('Exists', 'x'), asks('DoesNotExist', 'x'), asks('DoesNotExist', name)],
    [true, false, true, false],
  );
  assert.deepEqual(
    [asks('NotIn', name, ['a']), asks('NotIn', name, ['observability']), asks('NotIn', 'x', ['a'])],
    [true, false, true],
  );
});
