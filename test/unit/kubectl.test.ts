import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createKubectl } from '../../scripts/lib/kubectl.ts';
import type { KubeObject } from '../../scripts/lib/objects.ts';
import { fakeExec } from '../support/fakes.ts';

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

test('without objects nothing is called', async () => {
  const { exec, apply } = kubectl(() => '');
  assert.deepEqual(await apply([]), []);
  assert.equal(exec.calls.length, 0);
});
