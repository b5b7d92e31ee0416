import assert from 'node:assert/strict';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createKubectl } from '../../scripts/kubernetes/kubectl.ts';
import { PortForwardFailed, startPortForward } from '../../scripts/kubernetes/port-forward.ts';
import { Interrupted } from '../../scripts/lib/errors.ts';
import { createExec } from '../../scripts/lib/exec.ts';
import { isRunning } from '../../scripts/lib/processes.ts';
import { everyKind, fakeContext, temporaryFolder } from '../support/fakes.ts';

const folder = await temporaryFolder();
const { signal } = new AbortController();
const endpoint = { namespace: 'x', pod: 'p', uid: 'u', port: 9090 };
let count = 0;

/** A context whose kubectl is this shell script; it writes its process number and its arguments into files. */
async function withKubectl(script: string) {
  count += 1;
  const file = join(folder, `kubectl-${count}`);
  const head = `#!/bin/sh\necho $$ > '${file}.pid'\nprintf '%s\\n' "$@" > '${file}.args'\n`;
  await writeFile(file, `${head}${script}\n`);
  await chmod(file, 0o755);
  const env = { PATH: process.env.PATH ?? '' };
  const context = fakeContext({
    config: { childEnv: everyKind(env) },
    kubectl: async () => createKubectl(createExec({ env: everyKind(env), signal }), file, '/the/kubeconfig', 'kind-x'),
  });
  return {
    context,
    args: async () => (await readFile(`${file}.args`, 'utf8')).trim().split('\n'),
    pid: async () => Number(await readFile(`${file}.pid`, 'utf8')),
  };
}

const listening = "echo 'Forwarding from 127.0.0.1:40123 -> 9090'";

test('a tunnel is a kubectl of this cluster that leads to one port of one pod, and tells where it listens', async () => {
  const { context, args, pid } = await withKubectl(`${listening}\nexec sleep 60`);
  const tunnel = await startPortForward(context, endpoint, signal);
  assert.equal(tunnel.port, 40123);
  const given = await args();
  assert.deepEqual(given.slice(0, 4), ['--kubeconfig', '/the/kubeconfig', '--context', 'kind-x']);
  assert.deepEqual(given.slice(-5), ['port-forward', '--address=127.0.0.1', '--namespace=x', 'pod/p', ':9090']);
  const number = await pid();
  tunnel.close();
  await tunnel.ended;
  assert.equal(isRunning(number, undefined), false);
});

test('a tunnel that ends by itself tells kubectl its last words', async () => {
  const { context } = await withKubectl(
    `${listening}\necho 'E1126 something' >&2; echo 'error: lost connection to pod' >&2; exit 1`,
  );
  const tunnel = await startPortForward(context, endpoint, signal);
  assert.equal(await tunnel.ended, 'lost connection to pod');
});

test('one that fails before it listens is no tunnel, and says why', async () => {
  const { context } = await withKubectl("echo 'error: unable to forward port because pod is not running' >&2; exit 1");
  await assert.rejects(startPortForward(context, endpoint, signal), (error) => {
    assert(error instanceof PortForwardFailed);
    return error.message === 'unable to forward port because pod is not running';
  });
});

test('one that is given up before it listens is ended', async () => {
  const { context, pid } = await withKubectl('exec sleep 60');
  const controller = new AbortController();
  const opening = startPortForward(context, endpoint, controller.signal);
  let number = Number.NaN;
  while (Number.isNaN(number)) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    number = (await pid().catch(() => Number.NaN)) || Number.NaN;
  }
  controller.abort();
  await assert.rejects(opening, Interrupted);
  assert.equal(isRunning(number, undefined), false);
  await assert.rejects(startPortForward(context, endpoint, AbortSignal.abort()), Interrupted);
});

test('it listens on the local port that it was given, and ends with the signal', async () => {
  const { context, args, pid } = await withKubectl(`${listening}\nexec sleep 60`);
  const controller = new AbortController();
  const tunnel = await startPortForward(context, endpoint, controller.signal, 3000);
  assert.equal((await args()).at(-1), '3000:9090');
  controller.abort();
  await tunnel.ended;
  assert.equal(isRunning(await pid(), undefined), false);
});
