import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apiRestarting, remedyFor } from '../../scripts/kubernetes/kubectl.ts';

const known: [string, RegExp][] = [
  [
    'the admission webhook does not answer yet: failed calling webhook "a.b.c": no endpoints',
    /^Nobody answers for the webhook a\.b\.c: /,
  ],
  [
    'pods "grafana-1" is forbidden: error looking up service account observability/default: serviceaccount "default" not found',
    /^Kubernetes makes the account observability\/default by itself/,
  ],
  ['pods "a" is forbidden: exceeded quota: q, requested: pods=1', /kubectl get resourcequota/],
];
for (const [said, remedy] of known)
  test(`there is something to do about: ${said.slice(0, 60)}`, () => assert.match(remedyFor(said) ?? '', remedy));

test('of what is not known nothing is made up', () =>
  assert.equal(remedyFor('0 of 1 pods ready: connection refused'), undefined));

test('an eviction that a disruption budget forbids is an answer; an API server with too much to do is waited for', () => {
  const forbidden = "(TooManyRequests): Cannot evict pod as it would violate the pod's disruption budget.";
  assert.doesNotMatch(`Error from server ${forbidden}`, apiRestarting);
  assert.match('Error from server (TooManyRequests): the server has received too many requests', apiRestarting);
});
