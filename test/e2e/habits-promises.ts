import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { eventually, viewOf } from './cluster-view.ts';
import { demand, type Person } from './support.ts';

export interface Used {
  person: Person;
  cluster: string;
  /** Where the person's own kubeconfig is, and its text. */
  kubeconfig: { file: string; text: string };
}

/** What people do with a cluster by habit: tests for the one that `used` hands back, and that leave it as it is. */
export function habitsPromises(used: () => Used): void {
  const kubectl = (...args: string[]) => {
    const { person, cluster } = used();
    return demand(viewOf(person, cluster).kubectl(...args));
  };
  /** One of them: the autoscaler may have added others. */
  const podOf = async (service: string) =>
    (await kubectl('get', 'pods', '--selector', `app.kubernetes.io/name=${service}`, '--output=name')).stdout
      .trim()
      .replace(/^pod\/(.*)[\s\S]*/, '$1');

  it('shows the logs of a service, of Argo CD and of the ingress, each line behind its pod', async () => {
    const { person } = used();
    const pod = await podOf('api-node');
    const { stdout } = await demand(person.npm('logs', 'api-node', '--tail', 'all'));
    assert.match(stdout, new RegExp(`^\\[${pod}\\] api-node \\S+ on :3000`, 'm'));
    const lines = (await demand(person.npm('logs', 'argocd', '--tail', '3', '--json'))).stdout.trim().split('\n');
    const told = lines.map((line) => JSON.parse(line) as { time: string; pod: string });
    assert(new Set(told.map(({ pod: name }) => name)).size >= 3, 'several pods of Argo CD');
    assert.deepEqual(
      told,
      told.toSorted((one, other) => (one.time < other.time ? -1 : 1)),
    );
    assert.match((await demand(person.npm('logs', 'ingress', '--tail', '5'))).stdout, /^\[\S+\] /m);
    assert.match((await person.npm('logs', 'core-go', '--previous')).text, /no run before this one/);
  });

  it('follows the logs into the pod that replaces the one that goes', async () => {
    const { person } = used();
    const before = await podOf('worker-python');
    const { pid, ended, said } = start(person, ['logs', 'worker-python', '--follow', '--tail', 'all']);
    await eventually('the old pod is heard', 30, async () => said().includes(`[${before}]`));
    await kubectl('delete', 'pod', before, '--wait=false');
    await eventually('the new pod is heard', 90, async () =>
      /^\[worker-python/m.test(said().replaceAll(`[${before}]`, '')),
    );
    process.kill(await pid, 'SIGINT');
    assert.equal(await ended, 130, said());
  });

  it('opens a shell where there is one, and beside the container where there is none', async () => {
    const { person } = used();
    const plain = await demand(person.npm('shell', 'core-go', '--command', 'id -u'));
    assert.equal(plain.stdout.trim(), '65532');
    const failed = await person.npm('shell', 'core-go', '--command', 'exit 7');
    assert.equal(failed.code, 7, failed.text);
    const debug = await demand(person.npm('shell', 'core-go', '--debug', '--command', 'id -u; ls /proc/1/root/app'));
    assert.match(debug.text, /^65532$/m);
    assert.match(debug.text, /server\.mjs/);
    const terminal = await person.answer('npm run --silent shell -- core-go', ['$ ', 'echo $((6 * 7)); exit\r']);
    assert.match(terminal.screen, /^42\b/m);
    assert(terminal.restored, 'the terminal is as it was');
    assert.equal((await person.npm('shell', 'core-go')).code, 2);
  });

  it('writes a file for those who help, which only its owner reads and Git leaves alone', async () => {
    const { person } = used();
    const { file } = JSON.parse((await demand(person.npm('support-bundle', '--json'))).stdout) as { file: string };
    const text = readFileSync(file, 'utf8');
    for (const told of ['== doctor', '== pods', 'argocd/argocd-', '"ok": ']) assert(text.includes(told), told);
    const { stdout: password } = await demand(person.npm('passwords', 'argocd'));
    assert(!text.includes(password.trim()));
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal((await person.run(['git', 'status', '--porcelain'])).stdout, '');
    await person.run(['rm', file]);
  });

  it("merges its context into the person's kubeconfig on request, and takes it out to the last byte", async () => {
    const { person, cluster, kubeconfig } = used();
    const { file, text } = kubeconfig;
    await demand(person.npm('kubeconfig', '--merge'));
    const get = ['kubectl', 'get', 'namespace', 'argocd', '--context', `kind-${cluster}`] as const;
    assert.match((await demand(person.run(get))).stdout, /argocd +Active/);
    assert.match((await demand(person.run(['kubectl', 'config', 'current-context']))).stdout, /^production$/m);
    await demand(person.npm('kubeconfig', '--merge', '--use'));
    assert.match(
      (await demand(person.run(['kubectl', 'config', 'current-context']))).stdout,
      new RegExp(`^kind-${cluster}$`, 'm'),
    );
    await demand(person.npm('kubeconfig', '--remove'));
    assert.equal(readFileSync(file, 'utf8'), text);
    assert(!existsSync(`${file}.lock`) && !existsSync(join(person.clone, '.state', `${cluster}.merged-into`)));
    assert.equal((await person.npm('kubeconfig', '--remove')).code, 1);
  });
}

/** Starts a command that goes on, and hands back what it says. */
function start(person: Person, [name, ...args]: readonly [string, ...string[]]) {
  let text = '';
  let started: (pid: number) => void = () => {};
  const pid = new Promise<number>((resolve) => {
    started = resolve;
  });
  const running = person.run(['node', 'platform.mjs', name, ...args], {
    watch(number, all) {
      started(number);
      text = all;
    },
  });
  return { pid, ended: running.then(({ code }) => code), said: () => text };
}
