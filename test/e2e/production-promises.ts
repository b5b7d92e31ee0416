import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { metricsFile, readMetricList } from '../../scripts/repository/metric-names.ts';
import { compareMetrics, namesPath } from '../support/metrics.ts';
import { inCampaign } from './campaign.ts';
import { eventually, viewOf } from './cluster-view.ts';
import { grafanaPromises } from './grafana-promises.ts';
import { ingressPromises } from './ingress-promises.ts';
import { demand, type Person } from './support.ts';
import { ask, type Door, steadyStream } from './traffic.ts';

const services = ['api-node', 'core-go', 'worker-python'];

export interface Produced {
  person: Person;
  cluster: string;
  ports: { http: number; https: number };
}

/**
 * What the charts promise to production, shown on a real cluster. It runs as production in the end, with pods that the
 * autoscaler added.
 */
export function productionPromises(scene: () => Produced): void {
  let person: Person;
  let cluster: string;
  let ports: Produced['ports'];
  let view: ReturnType<typeof viewOf>;
  let door: Door;

  before(() => {
    ({ person, cluster, ports } = scene());
    view = viewOf(person, cluster);
    const ca = readFileSync(join(person.home, '.local/share/platform-ops/ca/ca.crt'), 'utf8');
    door = { port: ports.https, host: 'api.localhost', ca };
  });

  const rolledOut = (service: string) =>
    demand(view.kubectl('rollout', 'status', `deployment/${service}`, '--timeout=180s'));

  const podNames = async () => {
    const pods = ['get', 'pods', '-l', 'app.kubernetes.io/part-of=platform', '--output=name'];
    return (await demand(view.kubectl(...pods))).stdout
      .trim()
      .split('\n')
      .map((name) => name.replace('pod/', ''));
  };

  // In CI the drill drains, and a rollout while somebody asks is among what is synced.
  inCampaign('let a node be drained at one replica', async () => {
    // The autoscaler may have answered the start's load with a second pod, for which one node has no other place.
    await eventually('one pod of each runs', 420, async () => (await podNames()).length === services.length);
    const node = `${cluster}-control-plane`;
    const platform = '--pod-selector=app.kubernetes.io/part-of=platform';
    await demand(
      view.kubectl('drain', node, platform, '--ignore-daemonsets', '--delete-emptydir-data', '--timeout=120s'),
    );
    await demand(view.kubectl('uncordon', node));
    await Promise.all(services.map(rolledOut));
  });

  inCampaign('lose no request in a rollout of both services on its way', async () => {
    const old = await podNames();
    // After a drain the controller takes seconds to learn of the new pods.
    await eventually(
      'the API answers',
      60,
      async () => (await ask(door, '/info').catch(() => undefined))?.status === 200,
    );
    const stream = steadyStream(door, '/info', 15);
    await sleep(2000);
    for (const service of ['api-node', 'core-go']) {
      const file = join(person.clone, `helm/${service}/values-dev.yaml`);
      writeFileSync(file, readFileSync(file, 'utf8').replace(/ENV: \S+/, 'ENV: rolled'));
    }
    await demand(person.run(['git', 'commit', '--quiet', '--all', '--message', 'Roll two services']));
    await eventually('the commit runs', 120, async () =>
      (await ask(door, '/info').catch(() => undefined))?.body.includes('"env":"rolled"'),
    );
    await Promise.all(['api-node', 'core-go'].map(rolledOut));
    // Until the old pods are gone, which is when a request could still be lost.
    const rolled = old.filter((name) => !name.startsWith('worker'));
    await eventually('the old pods are gone', 120, async () => {
      const left = await podNames();
      return !rolled.some((name) => left.includes(name));
    });
    const { answered, lost } = await stream.stop();
    assert.deepEqual(lost, []);
    assert.ok(answered > 100, `only ${answered} requests`);
  });

  it('give the autoscaler CPU and memory to read', async () => {
    for (const service of services) {
      await eventually(`the HPA of ${service} reads both`, 120, async () => {
        const hpa = await view.json<{
          status?: { currentMetrics?: { resource?: { name?: string; current?: object } }[] };
        }>('get', 'hpa', service);
        const read = (hpa.status?.currentMetrics ?? []).filter(({ resource }) => resource?.current);
        return (
          read
            .map(({ resource }) => resource?.name)
            .sort()
            .join() === 'cpu,memory'
        );
      });
    }
  });

  it('hold the file system read-only but for /tmp, and run as nobody in particular', async () => {
    const script = `
      import { writeFileSync } from 'node:fs';
      const attempt = (file) => { try { writeFileSync(file, ''); return 'written'; } catch (error) { return error.code; } };
      console.log(JSON.stringify([process.getuid(), attempt('/etc/x'), attempt('/x'), attempt('/tmp/x')]));`;
    for (const service of services) {
      const [uid, etc, root, tmp] = JSON.parse((await demand(view.inPod(service, script))).stdout) as unknown[];
      assert.equal(uid, 65532);
      assert.ok(
        ['EROFS', 'EACCES'].includes(String(etc)) && ['EROFS', 'EACCES'].includes(String(root)),
        `${etc} ${root}`,
      );
      assert.equal(tmp, 'written');
    }
  });

  it('let only those talk to each other who have to', async () => {
    const call = (address: string) => `
      const reached = await fetch('${address}', { signal: AbortSignal.timeout(4000) }).then(({ status }) => status, () => 'no way');
      console.log(reached);`;
    const reach = async (from: string, address: string) =>
      (await demand(view.inPod(from, call(address)))).stdout.trim();
    assert.equal(await reach('api-node', 'http://core-go:8080/health'), '200');
    assert.equal(await reach('worker-python', 'http://core-go:8080/health'), 'no way');
    assert.equal(await reach('core-go', 'http://api-node:3000/health'), 'no way');
    assert.equal(await reach('api-node', 'https://kubernetes.default/version'), 'no way');

    // A pod that nothing limits, of the same namespace: core-go's own policy turns it away.
    const image = await demand(
      view.kubectl('get', 'deployment/core-go', '--output=jsonpath={.spec.template.spec.containers[0].image}'),
    );
    const stranger = ['run', 'stranger', `--image=${image.stdout}`, '--image-pull-policy=Never', '--restart=Never'];
    const program = ['--command', '--', 'node', '--input-type=module', '--eval', call('http://core-go:8080/health')];
    await demand(view.kubectl(...stranger, ...program));
    const answer = await eventually(
      'the stranger has asked',
      60,
      async () => (await view.kubectl('logs', 'stranger')).stdout.trim() || undefined,
    );
    await demand(view.kubectl('delete', 'pod', 'stranger', '--now'));
    assert.equal(answer, 'no way');
  });

  it('run where only restricted pods may, and pass their helm tests there', async () => {
    const namespace = 'restricted-try';
    await demand(view.kubectl('create', 'namespace', namespace));
    await demand(view.kubectl('label', 'namespace', namespace, 'pod-security.kubernetes.io/enforce=restricted'));
    for (const service of ['core-go', 'api-node', 'worker-python']) {
      const chart = `helm/${service}`;
      // Its host is taken by the one that Argo CD deployed.
      const options = service === 'api-node' ? ['--set', 'ingress.enabled=false'] : [];
      await demand(
        view.helm(
          'install',
          service,
          chart,
          '--namespace',
          namespace,
          '--values',
          `${chart}/values-dev.yaml`,
          ...options,
        ),
      );
    }
    const rollout = (service: string) => ['rollout', 'status', `deployment/${service}`, '--namespace', namespace];
    await Promise.all(services.map((service) => demand(view.kubectl(...rollout(service), '--timeout=120s'))));
    // api-node's asks core-go.
    const tests = services.map((service) => demand(view.helm('test', service, '--namespace', namespace, '--logs')));
    for (const { stdout } of await Promise.all(tests)) assert.match(stdout, /Phase: +Succeeded/);
    await demand(view.kubectl('delete', 'namespace', namespace));
  });

  it('are registered by hand as well, and only in their project', async () => {
    await demand(view.kubectl('apply', '--namespace', 'argocd', '-f', 'argocd/', '--dry-run=server'));
    const intruder = {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Application',
      metadata: { name: 'intruder', namespace: 'argocd' },
      spec: {
        project: 'default',
        source: { repoURL: 'git://git-server.git-server.svc.cluster.local/platform-ops.git', path: 'helm/core-go' },
        destination: { server: 'https://kubernetes.default.svc', namespace: 'default' },
      },
    };
    const file = join(person.home, 'intruder.json');
    writeFileSync(file, JSON.stringify(intruder));
    await demand(view.kubectl('apply', '-f', file));
    try {
      const condition = await eventually('Argo CD refuses the intruder', 60, async () => {
        const { status } = await view.json<{ status?: { conditions?: { type: string; message: string }[] } }>(
          'get',
          'application.argoproj.io/intruder',
          '--namespace=argocd',
        );
        return status?.conditions?.find(({ type }) => type === 'InvalidSpecError');
      });
      assert.match(condition.message, /project 'default'/);
    } finally {
      await demand(view.kubectl('delete', '-f', file));
    }
  });

  it('bring the metrics that the queries may name', async () => {
    const { list } = readMetricList(readFileSync(join(person.clone, metricsFile), 'utf8'));
    const prometheus = '/api/v1/namespaces/observability/services/http:prometheus:9090/proxy';
    const namesOf = async (job: string) =>
      (
        JSON.parse((await demand(view.kubectl('get', '--raw', prometheus + namesPath(job)))).stdout) as {
          data: string[];
        }
      ).data;
    const running = new Map<string, string[]>();
    for (const service of services) running.set(service, await namesOf(service));
    assert.deepEqual(compareMetrics(list, running), { missing: [], unlisted: [] });
  });

  describe('with their dashboards', () => grafanaPromises(() => ({ person, door })));

  describe('behind the ingress', () => ingressPromises(() => ({ view, door, ports })));

  it('run as in staging on the same cluster, two of each, under a host that the printed command reaches', async () => {
    const ran = await demand(person.run(['npm', 'run', '--silent', 'up'], { env: { ENVIRONMENT: 'staging' } }));
    const [command = ''] = /curl .*api\.staging\.example\.com.*\/info/.exec(ran.stdout) ?? [];
    const { stdout } = await demand(person.run(['bash', '-c', `${command} --silent --fail`]));
    assert.match(stdout, /"env":"staging"/);
    for (const service of services) {
      const { status } = await view.json<{ status: { readyReplicas?: number } }>('get', 'deployment', service);
      assert.equal(status.readyReplicas, 2, service);
      const { spec } = await view.json<{ spec: { maxReplicas: number } }>('get', 'hpa', service);
      assert.equal(spec.maxReplicas, 5, service);
    }
  });

  it('run as in production on the same cluster, three of each, and stay in sync', async () => {
    const ran = await demand(person.run(['npm', 'run', '--silent', 'up'], { env: { ENVIRONMENT: 'prod' } }));
    assert.match(ran.stdout, /api\.example\.com/);
    for (const service of services) {
      const { status } = await view.json<{ status: { readyReplicas?: number } }>('get', 'deployment', service);
      assert.equal(status.readyReplicas, 3, service);
    }
    for (let look = 0; look < 5; look += 1) {
      for (const { name, sync, health } of await view.applications()) {
        assert.equal(`${name} ${sync} ${health}`, `${name} Synced Healthy`);
      }
      await sleep(2000);
    }
  });
}
