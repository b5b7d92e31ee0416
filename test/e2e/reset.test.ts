import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { viewOf } from './cluster-view.ts';
import { demand, newPerson, type Person } from './support.ts';

const cluster = 'e2e-reset';
const ports = { http: 25080, https: 25443 };

interface Named {
  kind: string;
  namespace?: string;
  name: string;
}
interface Result {
  removed: Named[];
  kept: Named[];
  left: Named[];
  seconds: number;
}

/** One person, in a clone that borrows its objects, who takes the platform off and puts it back: each step starts from what the one before it left. */
describe('reset takes the platform off the cluster, and nothing else', () => {
  let person: Person;
  /** Every object of the cluster before the platform came: what has to be there after each reset. */
  let fresh: string[];
  before(async () => {
    person = await newPerson({ cluster, ports, clone: 'shared' });
  });
  after(async () => {
    await person?.remove();
  });

  const view = () => viewOf(person, cluster);
  const line = ({ kind, namespace, name }: Named) => [kind, namespace, name].filter(Boolean).join(' ');
  const reset = async (...flags: string[]) => {
    const { stdout } = await demand(person.npm('reset', '--yes', '--json', ...flags));
    return JSON.parse(stdout) as Result;
  };
  /** What kubectl says, not what the platform does: namespaces, cluster-wide objects, and all that is in default. */
  const everything = async () => {
    const kinds =
      'namespaces,customresourcedefinitions,clusterroles,clusterrolebindings,ingressclasses,apiservices,validatingwebhookconfigurations';
    const inDefault =
      'deployments,replicasets,pods,services,configmaps,secrets,serviceaccounts,ingresses,horizontalpodautoscalers,networkpolicies,poddisruptionbudgets';
    const name = ['--no-headers', '--output=custom-columns=K:.kind,N:.metadata.name'];
    const [wide, local, system] = await Promise.all([
      demand(view().kubectl('get', kinds, ...name)),
      demand(view().kubectl('get', inDefault, '--namespace=default', ...name)),
      demand(
        view().kubectl(
          'get',
          'deployments,services,serviceaccounts,secrets,rolebindings',
          '--namespace=kube-system',
          ...name,
        ),
      ),
    ]);
    return [wide, local, system]
      .flatMap(({ stdout }) =>
        stdout
          .trim()
          .split('\n')
          .map((text) => text.replace(/ +/g, ' ')),
      )
      .sort();
  };

  it('has nothing to do where there is no cluster', async () => {
    assert.match((await demand(person.npm('reset', '--yes'))).stdout, /There is no cluster e2e-reset/);
  });

  it('wants to be told that it is meant', async () => {
    const ran = await person.npm('reset');
    assert.equal(ran.code, 2, ran.text);
    assert.match(ran.stderr, /no terminal to ask/);
    writeFileSync(join(person.home, '.npmrc'), 'yes=true\nall=true\n');
    assert.equal((await person.npm('reset')).code, 2, 'what stands in .npmrc is no answer');
  });

  it('lists what would go, and changes nothing', async () => {
    await demand(person.npm('up'));
    await demand(view().kubectl('create', 'configmap', 'mine', '--from-literal=a=b'));
    await demand(view().kubectl('create', 'namespace', 'tools'));
    await demand(view().kubectl('create', 'configmap', 'mine', '--from-literal=a=b', '--namespace=tools'));
    // Of an image that the node has, so that it runs.
    const [image] = (
      await demand(view().kubectl('get', 'deployment', 'core-go', '--output=jsonpath={..image}'))
    ).stdout.split(' ');
    await demand(view().kubectl('create', 'deployment', 'mine', `--image=${image}`));
    const untouched = await everything();
    const ran = await demand(person.npm('reset', '--dry-run'));
    for (const text of [
      '  Deployment default/core-go',
      '  Namespace argocd',
      '  CustomResourceDefinition applications.argoproj.io',
    ])
      assert.ok(ran.stdout.includes(`\n${text}\n`), ran.stdout);
    assert.match(ran.stdout, /Kept, because it was put there by hand.*\n(.*\n)*? {2}ConfigMap default\/mine\n/);
    assert.deepEqual(await everything(), untouched);
    await demand(person.npm('status'));
  });

  it('removes all of it, proves that, and keeps what was put there by hand', async (t) => {
    const { removed, kept, left, seconds } = await reset();
    assert.deepEqual(left, []);
    assert.ok(removed.length > 100, String(removed.length));
    assert.deepEqual(kept.map(line).sort(), [
      'ConfigMap default mine',
      'ConfigMap tools mine',
      'Deployment default mine',
      'Namespace tools',
    ]);
    t.diagnostic(`reset took ${seconds} s for ${removed.length} objects`);
    fresh = (await everything()).filter((text) => !/(^| )(mine|mine-.*|tools)$/.test(text));
    assert.ok(
      !fresh.some((text) => /argo|nginx|git-server|observability|metrics|core-go|ghcr|tls/.test(text)),
      fresh.join('\n'),
    );
    const account = await view().json<{ imagePullSecrets?: object[] }>('get', 'serviceaccount', 'default');
    assert.deepEqual(account.imagePullSecrets ?? [], []);
    await demand(view().kubectl('rollout', 'status', 'deployment/mine', '--timeout=30s'));
  });

  it('has nothing to do a second time', async () => {
    const ran = await demand(person.npm('reset', '--yes'));
    assert.match(ran.stdout, /Nothing to remove/);
  });

  it('leaves a cluster on which up brings everything back', async (t) => {
    const ran = await demand(person.npm('up'));
    t.diagnostic(`up after reset took ${ran.seconds.toFixed(1)} s`);
    await demand(person.npm('status'));
  });

  it('has Argo CD build the workloads anew', async () => {
    const uid = async () =>
      (await demand(view().kubectl('get', 'deployment', 'core-go', '--output=jsonpath={.metadata.uid}'))).stdout;
    const before = await uid();
    const ran = await demand(person.npm('reset', '--apps', '--yes'));
    assert.match(ran.stdout, /has recreated all of it/);
    assert.notEqual(await uid(), before);
    await demand(person.npm('status'));
  });

  it('prunes by itself where Argo CD is broken, and takes up what was begun', async () => {
    await demand(
      view().kubectl('scale', 'statefulset/argocd-application-controller', '--namespace=argocd', '--replicas=0'),
    );
    await demand(
      view().kubectl(
        'rollout',
        'status',
        'statefulset/argocd-application-controller',
        '--namespace=argocd',
        '--timeout=60s',
      ),
    );
    await demand(view().kubectl('delete', 'applications.argoproj.io', 'core-go', '--namespace=argocd', '--wait=false'));
    await demand(view().kubectl('delete', 'namespace', 'git-server', '--wait=false'));
    const { left } = await reset();
    assert.deepEqual(left, []);
    assert.deepEqual(
      (await everything()).filter((text) => !/(^| )(mine|mine-.*|tools)$/.test(text)),
      fresh,
    );
  });

  it('keeps what was put into a namespace of the platform, and with --all removes it, too', async () => {
    // An API server that restarts meanwhile costs a moment, which is told.
    let killing: Promise<unknown> | undefined;
    const kill = ['docker', 'exec', `${cluster}-control-plane`, 'sh', '-c', 'kill -9 $(pidof kube-apiserver)'] as const;
    const watch = (_: number, text: string) => {
      if (/✔ cluster/.test(text)) killing ??= demand(person.run(kill));
    };
    const up = await demand(person.run(['npm', 'run', '--silent', 'up'], { watch }));
    await killing;
    assert.match(up.stderr, /Tried again: /);
    await demand(view().kubectl('create', 'configmap', 'mine', '--from-literal=a=b', '--namespace=observability'));
    const { kept, left } = await reset();
    assert.deepEqual(left, []);
    assert.ok(
      kept.map(line).includes('ConfigMap observability mine') && kept.map(line).includes('Namespace observability'),
    );
    await demand(view().kubectl('get', 'configmap', 'mine', '--namespace=observability'));
    const all = await reset('--all');
    assert.deepEqual([all.kept, all.left], [[], []]);
    assert.deepEqual(await everything(), fresh);
    await demand(view().kubectl('rollout', 'status', 'deployment/coredns', '--namespace=kube-system', '--timeout=30s'));
  });

  it('says what holds a thing that does not go away, and goes on once that is gone', async () => {
    await demand(person.npm('up'));
    const hold = (finalizers: string[]) =>
      view().kubectl(
        'patch',
        'service/prometheus',
        '--namespace=observability',
        '--type=merge',
        '--patch',
        JSON.stringify({ metadata: { finalizers } }),
      );
    await demand(hold(['example.com/hold']));
    const ran = await person.npm('reset', '--yes', '--timeout', '20');
    assert.equal(ran.code, 1, ran.text);
    assert.match(ran.stderr, /example\.com\/hold/);
    const up = await person.npm('up', '--timeout', '10');
    assert.equal(up.code, 1, up.text);
    assert.match(up.stderr, /Namespace observability is still being deleted after 10 s.*\n.*example\.com\/hold/);
    await demand(hold([]));
    assert.deepEqual((await reset()).left, []);
  });

  it('wakes a stopped node, and refuses one that was half created', async () => {
    const node = `${cluster}-control-plane`;
    await demand(person.run(['docker', 'stop', '--time', '5', node]));
    assert.match((await person.npm('reset', '--dry-run')).stderr, /is exited, so nobody can say what is in it/);
    await demand(person.npm('reset', '--yes'));
    await demand(person.run(['docker', 'exec', node, 'rm', '/kind/platform-ops-finished']));
    assert.match((await person.npm('reset', '--yes')).stderr, /half created/);
    await demand(person.npm('down'));
  });
});
