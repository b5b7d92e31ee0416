import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError, Unreachable } from '../../scripts/kubernetes/api/api.ts';
import { createKubectl, remedyFor } from '../../scripts/kubernetes/kubectl.ts';
import type { KubeObject } from '../../scripts/kubernetes/objects.ts';
import { fakeExec, refusal } from '../support/fakes.ts';

const secret: KubeObject = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 's', namespace: 'default' },
  stringData: { password: 'canary' },
};
const anHourAgo = () => Date.now() - 3_600_000;
const stamp = (from: number, milliseconds: number) =>
  new Date(from + milliseconds).toISOString().replace(/\.\d+Z$/, 'Z');
/** An API server with the clock of an hour ago, which says of each object in turn what it would be. */
function apiThat(answers: (KubeObject | Error)[] = [new Unreachable('silent')]) {
  const asked: string[] = [];
  const dryRunMetadata = async (path: string): Promise<KubeObject> => {
    const answer = answers[asked.push(path) - 1] ?? answers.at(-1);
    if (answer instanceof Error) throw answer;
    return answer ?? assert.fail();
  };
  return { asked, api: () => ({ dryRunMetadata, time: async () => anHourAgo(), starting: async () => false }) };
}
function kubectl(output: Parameters<typeof fakeExec>[0] = () => ({}), options = {}) {
  const exec = fakeExec(output);
  return { exec, ...createKubectl(exec, '/bin/kubectl', '/state of/kubeconfig', 'kind-x', options) };
}

test('every call names the private kubeconfig and its context; objects are applied on the server’s side, from standard input', async () => {
  const { exec, run, apply } = kubectl();
  await run(['get', 'pods']);
  assert.deepEqual([await apply([]), exec.calls.length], [[], 1]);
  await apply([secret]);
  const own = '/bin/kubectl --kubeconfig /state of/kubeconfig --context kind-x --cache-dir /state of/kubectl-cache';
  const [got, applied] = exec.lines();
  assert.equal(got, `${own} get pods`);
  const flags = 'apply --server-side --force-conflicts --field-manager=platform-ops --validate=ignore';
  assert(applied?.startsWith(`${own} ${flags} `) && applied.endsWith(' -f -') && !applied.includes('canary'), applied);
  assert.deepEqual(JSON.parse(String(exec.calls[1]?.options.input)), secret);
});

for (const [clock, now, options] of [
  ['this machine', Date.now, {}],
  ['a cluster, whose clock differs,', anHourAgo, { api: apiThat().api }],
] as const) {
  test(`what was changed bears a stamp of this call, also of its second, by the clock of ${clock}; the rest an older one`, async () => {
    const lines = () => [
      `Namespace argocd ${stamp(now(), -5000)}`,
      `Deployment argocd/argocd-server ${stamp(now(), 0)}`,
      `ClusterRole system:x ${stamp(now(), 1000)}`,
      'ConfigMap default/unmanaged',
    ];
    const { apply } = kubectl(() => ({ stdout: lines().join('\n') }), options);
    assert.deepEqual(await apply([secret]), ['Deployment argocd/argocd-server', 'ClusterRole system:x']);
  });
}

test('what could not be applied is told by name and reason, without the command, and with what to do', async () => {
  const webhook = 'InternalError): Internal error occurred: failed calling webhook "a.b.c": no endpoints';
  const account =
    'pods "g" is forbidden: error looking up service account observability/default: serviceaccount not found';
  const quota = 'pods "a" is forbidden: exceeded quota: q, requested: pods=1';
  for (const [stderr, remedy] of [
    [`a warning\n${webhook}`, /webhook a\.b\.c: kubectl get/],
    [account, /the account observability\/default .* kube-controller-manager/],
    [quota, /kubectl get resourcequota/],
    ['The connection to the server x was refused', /npm run status/],
    ['The Secret "s" is invalid: type: Required value', /npm run doctor/],
  ] as const) {
    const { error, text } = await refusal(() => kubectl(() => ({ exitCode: 1, stderr })).apply([secret]));
    assert.equal(error.id, 'not-applied');
    assert(error.message.includes('Secret default/s') && error.message.includes(stderr.split('\n').at(-1) ?? ''), text);
    assert.match(error.hint ?? '', remedy);
    assert.doesNotMatch(text, /go-template|canary/);
  }
  assert.equal(remedyFor('0 of 1 pods ready: connection refused'), undefined, 'nothing is made up');
});

test('an eviction that a disruption budget forbids is an answer; an API server with too much to do is waited for', async () => {
  const retry = { patience: 5000, signal: new AbortController().signal, onRetry: () => {}, every: 1 };
  for (const [said, calls] of [
    ["Cannot evict pod as it would violate the pod's disruption budget.", 1],
    ['the server has received too many requests', 2],
  ] as const) {
    let count = 0;
    const stderr = `Error from server (TooManyRequests): ${said}`;
    const { run, exec } = kubectl(() => (count++ === 0 ? { exitCode: 1, stderr } : {}), { retry });
    await run(['x']).catch(() => {});
    assert.equal(exec.calls.length, calls, said);
  }
});

test('no process is started for what the API server says would stay; one object that would change has all of them applied', async () => {
  const meta = (own: number | undefined, created = -9000): KubeObject => {
    const managedFields =
      own === undefined ? [] : [{ manager: 'platform-ops', operation: 'Apply', time: stamp(anHourAgo(), own) }];
    return {
      ...secret,
      metadata: { ...secret.metadata, creationTimestamp: stamp(anHourAgo(), created), managedFields },
    };
  };
  const three = ['a', 'b', 'last'].map((name) => ({ ...secret, metadata: { ...secret.metadata, name } }));
  const cases: [answers: (KubeObject | Error)[], asked: number, started: number][] = [
    // A namespace without labels: no field of it is anybody's.
    [[meta(-5000), meta(undefined), meta(-5000)], 3, 0],
    // The last one is missing, as in a new cluster: nothing else is asked for.
    [[meta(undefined, 1000)], 1, 1],
    [[new ApiError('/x', 404, 'no such namespace')], 1, 1],
    [[new Unreachable('no answer')], 1, 1],
    [[meta(-5000), meta(1000), meta(-5000)], 3, 1],
  ];
  for (const [answers, count, started] of cases) {
    const { asked, api } = apiThat(answers);
    const { apply, exec } = kubectl(() => ({}), { api });
    assert.deepEqual(await apply(three), []);
    assert.match(asked[0] ?? '', /last$/);
    assert.deepEqual([asked.length, exec.calls.length], [count, started]);
  }
});
