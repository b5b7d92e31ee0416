import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError, Unreachable } from '../../scripts/kubernetes/api/api.ts';
import { createKubectl } from '../../scripts/kubernetes/kubectl.ts';
import type { KubeObject } from '../../scripts/kubernetes/objects.ts';
import { fakeExec, refusal } from '../support/fakes.ts';

const secret: KubeObject = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 's', namespace: 'default' },
  stringData: { password: 'canary' },
};
const at = (milliseconds: number) => new Date(Date.now() + milliseconds).toISOString().replace(/\.\d+Z$/, 'Z');

function kubectl(answer: () => string) {
  const exec = fakeExec(() => ({ stdout: answer() }));
  return { exec, ...createKubectl(exec, '/bin/kubectl', '/state of/kubeconfig', 'kind-x') };
}

test('every call names the private kubeconfig and its context, and caches beside it', async () => {
  const { exec, run, apply } = kubectl(() => '');
  await run(['get', 'pods']);
  await apply([secret]);
  for (const { command } of exec.calls) {
    const [program, ...args] = command.slice(0, 7);
    assert.equal(program, '/bin/kubectl');
    const own = [
      '--kubeconfig',
      '/state of/kubeconfig',
      '--context',
      'kind-x',
      '--cache-dir',
      '/state of/kubectl-cache',
    ];
    assert.deepEqual(args, own);
  }
  assert.deepEqual(exec.calls[0]?.command.slice(7), ['get', 'pods']);
});

test('objects are applied on the server’s side, and go there on standard input alone', async () => {
  const { exec, apply } = kubectl(() => '');
  await apply([secret]);
  const [{ command, options } = { command: [], options: { input: '' } }] = exec.calls;
  for (const part of ['apply', '--server-side', '--force-conflicts', '--field-manager=platform-ops', '-f', '-'])
    assert(command.includes(part), part);
  assert(command.includes('--validate=ignore'), 'no schemas are fetched');
  assert.doesNotMatch(command.join(' '), /canary/);
  assert.deepEqual(JSON.parse(String(options.input)), secret);
});

test('changed is what bears a stamp of this call; what was there already bears an older one', async () => {
  const { apply } = kubectl(() =>
    [
      `Namespace argocd ${at(-5000)}`,
      `Deployment argocd/argocd-server ${at(0)}`,
      `ClusterRole system:x ${at(1000)}`,
      `ConfigMap default/unmanaged`,
      '',
    ].join('\n'),
  );
  assert.deepEqual(await apply([secret]), ['Deployment argocd/argocd-server', 'ClusterRole system:x']);
});

test('a stamp of the same second counts as this call’s, since stamps have no fractions', async () => {
  const { apply } = kubectl(() => `Namespace a ${new Date(Math.floor(Date.now() / 1000) * 1000).toISOString()}`);
  assert.deepEqual(await apply([secret]), ['Namespace a']);
});

test('a stamp is judged by the clock that made it, where that of this machine differs', async () => {
  const exec = fakeExec(() => ({ stdout: `Namespace old ${at(-3_610_000)}\nNamespace new ${at(-3_590_000)}\n` }));
  const time = async () => Date.now() - 3_600_000;
  const { apply } = createKubectl(exec, '/bin/kubectl', '/state of/kubeconfig', 'kind-x', { time });
  assert.deepEqual(await apply([secret]), ['Namespace new']);
});

test('what could not be applied is told by name and reason, without the command, and with what to do', async () => {
  const refused = (stderr: string) =>
    refusal(() =>
      createKubectl(
        fakeExec(() => ({ exitCode: 1, stderr })),
        'k',
        '/x',
        'c',
      ).apply([secret]),
    );
  const webhook =
    'Error from server (InternalError): Internal error occurred: failed calling webhook "a.b.c": no endpoints';
  for (const [stderr, says] of [
    [
      `a warning\n${webhook}`,
      /failed calling webhook "a\.b\.c": no endpoints\nNobody answers for the webhook a\.b\.c: kubectl get/,
    ],
    ['The connection to the server x was refused', /was refused\nnpm run status tells whether/],
    ['The Secret "s" is invalid: type: Required value', /is invalid: type: Required value\nnpm run doctor/],
  ] as const) {
    const { text } = await refused(stderr);
    assert.match(text, /^Could not be applied: Secret default\/s\. /);
    assert.match(text, says);
    assert.doesNotMatch(text, /go-template|canary/);
  }
});

test('without objects nothing is called', async () => {
  const { exec, apply } = kubectl(() => '');
  assert.deepEqual(await apply([]), []);
  assert.equal(exec.calls.length, 0);
});

test('no process is started for what the API server says would stay; one object that would change has all of them applied', async () => {
  const meta = (own: string | undefined, creationTimestamp = at(-9000)): KubeObject => ({
    ...secret,
    metadata: {
      ...secret.metadata,
      creationTimestamp,
      ...(own !== undefined && { managedFields: [{ manager: 'platform-ops', operation: 'Apply', time: own }] }),
    },
  });
  const refused = new ApiError('/x', 404, 'no such namespace');
  const cases: [answers: (KubeObject | Error)[], asked: number, started: number][] = [
    // A namespace without labels: no field of it is anybody's.
    [[meta(at(-5000)), meta(undefined), meta(at(-5000))], 3, 0],
    // The last one is missing, as in a new cluster: nothing else is asked for.
    [[meta(undefined, at(1000))], 1, 1],
    [[refused], 1, 1],
    [[new Unreachable('no answer')], 1, 1],
    [[meta(at(-5000)), meta(at(1000)), meta(at(-5000))], 3, 1],
  ];
  for (const [answers, asked, started] of cases) {
    const exec = fakeExec(() => ({}));
    let count = 0;
    const predict = async () => {
      const answer = answers[count++];
      if (answer instanceof Error) throw answer;
      return answer as KubeObject;
    };
    const { apply } = createKubectl(exec, '/bin/kubectl', '/k', 'kind-x', { predict });
    assert.deepEqual(await apply([secret, secret, secret]), []);
    assert.deepEqual([count, exec.calls.length], [asked, started]);
  }
});
