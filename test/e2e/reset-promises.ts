import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, it } from 'node:test';
import { inCampaign } from './campaign.ts';
import { viewOf } from './cluster-view.ts';
import { demand, type Person, type SharedPlatform } from './support.ts';

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

/** What somebody puts there by hand, by the lines of `everything`. */
const byHand = /(^| )(mine|mine-.*|tools)$|^Namespace observability$/;

/** The platform is taken off, and put back: each step starts from what the one before it left. */
export function resetPromises({ cluster, begin }: SharedPlatform): void {
  let person: Person;
  /** Every object of the cluster without the platform: what has to be there after each reset. */
  let fresh: string[];
  before(async () => {
    person = await begin();
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
    const none = { env: { CLUSTER_NAME: 'e2e-none' } };
    const ran = await demand(person.run(['npm', 'run', '--silent', 'reset', '--', '--yes'], none));
    assert.match(ran.stdout, /There is no cluster e2e-none/);
  });

  it('wants to be told that it is meant', async () => {
    const ran = await person.npm('reset');
    assert.equal(ran.code, 2, ran.text);
    assert.match(ran.stderr, /no terminal to ask/);
    const npmrc = join(person.home, '.npmrc');
    writeFileSync(npmrc, 'yes=true\nall=true\n');
    assert.equal((await person.npm('reset')).code, 2, 'what stands in .npmrc is no answer');
    rmSync(npmrc);
  });

  it('lists what would go, and changes nothing', async () => {
    await demand(view().kubectl('create', 'configmap', 'mine', '--from-literal=a=b'));
    await demand(view().kubectl('create', 'namespace', 'tools'));
    for (const namespace of ['tools', 'observability'])
      await demand(view().kubectl('create', 'configmap', 'mine', '--from-literal=a=b', `--namespace=${namespace}`));
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

  it('removes all of it, proves that, and keeps what was put there by hand, also into a namespace of its own', async (t) => {
    const { removed, kept, left, seconds } = await reset();
    assert.deepEqual(left, []);
    assert.ok(removed.length > 100, String(removed.length));
    assert.deepEqual(kept.map(line).sort(), [
      'ConfigMap default mine',
      'ConfigMap observability mine',
      'ConfigMap tools mine',
      'Deployment default mine',
      'Namespace observability',
      'Namespace tools',
    ]);
    t.diagnostic(`reset took ${seconds} s for ${removed.length} objects`);
    fresh = (await everything()).filter((text) => !byHand.test(text));
    assert.ok(
      !fresh.some((text) => /argo|nginx|git-server|observability|metrics|core-go|ghcr|tls/.test(text)),
      fresh.join('\n'),
    );
    const account = await view().json<{ imagePullSecrets?: object[] }>('get', 'serviceaccount', 'default');
    assert.deepEqual(account.imagePullSecrets ?? [], []);
    await demand(view().kubectl('rollout', 'status', 'deployment/mine', '--timeout=30s'));
    await demand(view().kubectl('get', 'configmap', 'mine', '--namespace=observability'));
  });

  it('has nothing to do a second time', async () => {
    const ran = await demand(person.npm('reset', '--yes'));
    assert.match(ran.stdout, /Nothing to remove/);
  });

  it('removes with --all what was put there by hand, too', async () => {
    const { kept, left } = await reset('--all');
    assert.deepEqual([kept, left], [[], []]);
    assert.deepEqual(await everything(), fresh);
    await demand(view().kubectl('rollout', 'status', 'deployment/coredns', '--namespace=kube-system', '--timeout=30s'));
  });

  it('leaves a cluster on which up brings everything back', async (t) => {
    const ran = await demand(person.npm('up'));
    t.diagnostic(`up after reset took ${ran.seconds.toFixed(1)} s`);
    await demand(person.npm('status'));
  });

  inCampaign('has Argo CD build the workloads again', async () => {
    const uid = async () =>
      (await demand(view().kubectl('get', 'deployment', 'core-go', '--output=jsonpath={.metadata.uid}'))).stdout;
    const before = await uid();
    const ran = await demand(person.npm('reset', '--apps', '--yes'));
    assert.match(ran.stdout, /has recreated all of it/);
    assert.notEqual(await uid(), before);
    await demand(person.npm('status'));
  });

  inCampaign('prunes by itself where Argo CD is broken, and takes up what was begun', async () => {
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
    assert.deepEqual(await everything(), fresh);
  });

  inCampaign('is possible after an up during which the API server restarted, which is told', async () => {
    let killing: Promise<unknown> | undefined;
    const kill = ['docker', 'exec', `${cluster}-control-plane`, 'sh', '-c', 'kill -9 $(pidof kube-apiserver)'] as const;
    const watch = (_: number, text: string) => {
      if (/✔ cluster/.test(text)) killing ??= demand(person.run(kill));
    };
    const up = await demand(person.run(['npm', 'run', '--silent', 'up'], { watch }));
    await killing;
    assert.match(up.stderr, /Tried again: /);
    assert.deepEqual((await reset()).left, []);
  });

  inCampaign('says what holds a thing that does not go away, and goes on once that is gone', async () => {
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

  inCampaign('wakes a stopped node, and refuses one that was half created', async () => {
    const node = `${cluster}-control-plane`;
    await demand(person.run(['docker', 'stop', '--time', '5', node]));
    assert.match((await person.npm('reset', '--dry-run')).stderr, /is exited, so nobody can say what is in it/);
    await demand(person.npm('reset', '--yes'));
    await demand(person.run(['docker', 'exec', node, 'rm', '/kind/platform-ops-finished']));
    assert.match((await person.npm('reset', '--yes')).stderr, /half created/);
    await demand(person.npm('down'));
  });
}
