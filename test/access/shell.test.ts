import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findShell, shellArguments, shellInput } from '../../scripts/access/shell.ts';
import { createKubectl } from '../../scripts/kubernetes/kubectl.ts';
import type { Pod, Workload } from '../../scripts/kubernetes/types.ts';
import { runInteractively } from '../../scripts/lib/exec.ts';
import { fakeContext, fakeExec, refusal } from '../support/fakes.ts';

const signal = new AbortController().signal;
const pod = (name: string, ready: boolean, running = true) =>
  ({
    metadata: { name, namespace: 'default' },
    spec: { containers: [{ name: 'app', image: 'x:1' }] },
    status: {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
      containerStatuses: [{ name: 'app', state: running ? { running: {} } : { waiting: {} } }],
    },
  }) as unknown as Pod;
const named = (name: string, namespace: string, image: string) =>
  ({ metadata: { name, namespace }, spec: { template: { spec: { containers: [{ image }] } } } }) as unknown as Workload;
const service = named('core-go', 'default', 'x:1');
const redis = named('argocd-redis', 'argocd', 'redis:8-alpine');

function contextWith(pods: Pod[], answer: { exitCode?: number; stderr?: string }, deployments = [service, redis]) {
  const exec = fakeExec(() => answer);
  const context = fakeContext({
    view: () => ({ podsOf: async () => pods, list: async () => deployments }),
    kubectl: async () => createKubectl(exec, 'kubectl', '/ops/kubeconfig', 'kind-x'),
  });
  return { exec, context };
}

test('a container with a shell is entered, in the pod that is ready', async () => {
  const { context, exec } = contextWith([pod('starts', false), pod('ready', true)], {});
  const way = await findShell(context, service, false);
  assert.deepEqual([way.pod.metadata.name, way.container, way.image], ['ready', 'app', undefined]);
  assert.match(
    exec.lines()[0] ?? '',
    /^kubectl --kubeconfig \/ops\/kubeconfig --context kind-x .*exec --namespace=default ready/,
  );
  assert.deepEqual(shellArguments(way, undefined), [
    ...['exec', '--namespace=default', 'ready', '--container=app', '--stdin', '--tty', '--', 'sh'],
  ]);
  assert.deepEqual(shellArguments(way, 'ls /').slice(-4), ['--', 'sh', '-c', 'ls /']);
  assert(!shellArguments(way, 'ls /').includes('--tty'));
});

const shellless = [
  { exitCode: 127, stderr: 'command terminated with exit code 127' },
  { exitCode: 1, stderr: 'OCI runtime exec failed: exec: "sh": executable file not found in $PATH' },
];
for (const answer of shellless) {
  test(`an image without a shell (${answer.stderr}) gets a debug container beside it, without a registry or more rights`, async () => {
    const way = await findShell(contextWith([pod('ready', true)], answer).context, service, false);
    assert.equal(way.image, 'redis:8-alpine');
    const command = shellArguments(way, undefined);
    for (const flag of ['--image-pull-policy=Never', '--target=app', '--profile=restricted', '--tty'])
      assert(command.includes(flag), flag);
    assert(shellArguments(way, 'ls').includes('--stdin') && !shellArguments(way, 'ls').includes('--tty'));
    assert.deepEqual(shellArguments(way, 'ls').slice(-4), ['sh', '-c', 'read -r _; exec sh -c "$0" < /dev/null', 'ls']);
    assert.deepEqual([shellInput(way, 'ls'), shellInput(way, undefined)], ['\n', undefined], 'it waits for the line');
  });
}

test('a debug container is had on request as well, and the shell is not even looked for', async () => {
  const { context, exec } = contextWith([pod('ready', true)], {});
  assert.equal((await findShell(context, service, true)).image, 'redis:8-alpine');
  assert.deepEqual(exec.calls, []);
});

test('that no pod runs, that nothing can be run in it, or that there is no image to take is said', async () => {
  const none = contextWith([pod('waits', false, false)], {});
  assert.match(
    (await refusal(() => findShell(none.context, service, false))).text,
    /No pod of core-go runs\..*\n.*logs -- core-go/,
  );
  const broken = contextWith([pod('ready', true)], { exitCode: 1, stderr: 'error: unable to upgrade connection' });
  assert.match((await refusal(() => findShell(broken.context, service, false))).text, /unable to upgrade connection/);
  const bare = contextWith([pod('ready', true)], {}, [service]);
  assert.match((await refusal(() => findShell(bare.context, service, true))).text, /no image on the node/);
});

test('a program that takes over hands back its exit code, ends with us, and says where it can not be started', async () => {
  const env = { PATH: process.env.PATH ?? '' };
  assert.equal(await runInteractively(['sh', '-c', 'exit 7'], { env, signal }), 7);
  const controller = new AbortController();
  const running = runInteractively(['sleep', '60'], { env, signal: controller.signal });
  controller.abort();
  assert.equal(await running, 130);
  assert.match(
    (await refusal(() => runInteractively(['/nowhere/x'], { env, signal }))).text,
    /\/nowhere\/x could not be started/,
  );
});
