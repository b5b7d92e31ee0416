import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startForward } from '../campaigns/forward/running.ts';
import { startProxy } from '../support/proxy.ts';
import { reportIn } from '../support/status-schema.ts';
import { inCampaign } from './campaign.ts';
import { eventually } from './cluster-view.ts';
import { gitPromises, plantInGitFolder, shallowPromises } from './git-promises.ts';
import { habitsPromises } from './habits-promises.ts';
import { monitoringPromises } from './monitoring-promises.ts';
import { productionPromises } from './production-promises.ts';
import { readmeSteps, stayAtThisCommit } from './readme-steps.ts';
import { demand, giveKubeconfig, newcomer, type Person } from './support.ts';
import { supportPromises } from './support-promises.ts';

const cluster = 'e2e-up';
const ports = { http: 28080, https: 28443 };
/** A file that takes registries down, and what they were asked: a line for each request. A test machine names them. */
const control = process.env.E2E_REGISTRY_CONTROL;
const log = process.env.E2E_REGISTRY_LOG;
const isOffline = control !== undefined && log !== undefined;
const offline = 'E2E_REGISTRY_CONTROL and E2E_REGISTRY_LOG, by which registries fail, are not set';
const registries = ['quay.io', 'docker.io', 'registry-1.docker.io', 'registry.k8s.io', 'ghcr.io', 'public.ecr.aws'];
const sources = ['github.com', 'raw.githubusercontent.com', 'api.github.com', 'dl.k8s.io', 'get.helm.sh'];
const kubeconfig = `.state/${cluster}/kubeconfig`;

/**
 * One person, one day, in order: first all that the README says, from the clone to a promotion, without a network. Each step
 * starts from what the one before it left.
 */
describe('a person without root rights, with a fresh clone in a path with spaces', () => {
  let person: Person;
  let decoy: Server;
  let decoyConfig: string;
  let decoyRequests = 0;

  before(async () => {
    decoy = createServer((_, response) => {
      decoyRequests += 1;
      response.end('{}');
    });
    decoy.on('connection', () => {
      decoyRequests += 1;
    });
    await new Promise<void>((resolve) => decoy.listen(0, '127.0.0.1', resolve));
    // What prefetch brings, others may have kept: this one has nothing yet.
    person = newcomer({ cluster, ports, sharesImages: false });
    await stayAtThisCommit(person);
    decoyConfig = giveKubeconfig(person, `http://127.0.0.1:${(decoy.address() as AddressInfo).port}`);
  });
  after(async () => {
    decoy?.close();
    restore();
    await person?.remove();
  });

  /** The certificate of the local authority, once there is one. */
  let authority = '';
  const head = async () => (await demand(person.run(['git', 'rev-parse', 'HEAD']))).stdout.trim();
  const report = async () => reportIn((await person.npm('status', '--json')).stdout);
  const kubectl = (...args: string[]) => demand(person.run(['kubectl', '--kubeconfig', kubeconfig, ...args]));
  const requests = () => readFileSync(log ?? '', 'utf8').split('\n');
  const restore = () => rmSync(control ?? '', { force: true });
  let asked = 0;

  readmeSteps(
    {
      cluster,
      https: ports.https,
      beforeUp() {
        it('prefetch has every image on this machine, by way of the proxy, and leaves no container', async () => {
          await demand(person.run(['git', 'fetch', '--quiet', '--depth=1']));
          await plantInGitFolder(person);
          const proxy = await startProxy({ login: 'ann:canary' });
          const env = { https_proxy: `http://ann:canary@127.0.0.1:${proxy.port}` };
          const ran = await demand(person.run(['npm', 'run', '--silent', 'prefetch', '--', '--verbose'], { env }));
          proxy.close();
          assert.match(ran.stdout, /npm run up works without a network now\./);
          assert.doesNotMatch(ran.text, /canary/);
          for (const host of ['raw.githubusercontent.com', 'quay.io', 'registry-1.docker.io', 'registry.k8s.io'])
            assert(proxy.asked.includes(`${host}:443`), `${host} was reached without the proxy: ${proxy.asked.join()}`);
          const found = await demand(person.run(['ls', join(person.home, '.cache/platform-ops/images')]));
          for (const image of ['argocd', 'prom%2Fprometheus', 'grafana%2Fgrafana', 'ingress-nginx%2Fcontroller'])
            assert(found.stdout.includes(image), found.stdout);
          const { stdout } = await demand(person.run(['docker', 'ps', '--all', '--format', '{{.Names}}']));
          assert(!stdout.includes(`${cluster}-prefetch`), stdout);
          if (isOffline) writeFileSync(control ?? '', JSON.stringify({ down: [...registries, ...sources] }));
          asked = isOffline ? requests().length : 0;
        });
      },
      afterUp(ran) {
        it('up needs no registry after that, and asks none', { skip: isOffline ? false : offline }, async () => {
          restore();
          assert.match(ran().stdout, /The platform is up/);
          assert.deepEqual(requests().slice(asked), []);
          asked = requests().length;
          assert.match((await demand(person.npm('prefetch'))).stdout, /Everything is here, and was before\./);
          assert.deepEqual(requests().slice(asked), []);
        });

        shallowPromises(() => person);

        it('came up without a token, and said what runs and where', async () => {
          const { stdout, stderr } = ran();
          for (const host of ['api', 'argocd', 'prometheus', 'grafana'])
            assert.ok(stdout.includes(`https://${host}.localhost:${ports.https}`), stdout);
          assert.match(stdout, /ghcr\.io\/zainasr\/api-node:\S+ \(stand-in\)/);
          assert.match(stderr, /✔ services +\d+\.\d s/);
          authority = JSON.parse((await demand(person.npm('trust', '--json'))).stdout).certificate;
        });
      },
    },
    () => person,
  );

  it('answers by a certificate that the local authority vouches for, and sends plain HTTP on to it', async () => {
    for (const host of ['api', 'argocd', 'prometheus', 'grafana']) {
      const from = `http://${host}.localhost:${ports.http}/some/path?q=1`;
      const ran = await demand(person.run(['curl', '-sS', '-o', '/dev/null', '-w', '%{redirect_url}', from]));
      assert.equal(ran.stdout, `https://${host}.localhost:${ports.https}/some/path?q=1`);
      await demand(
        person.run([
          'curl',
          '-sS',
          '-o',
          '/dev/null',
          '--cacert',
          authority,
          `https://${host}.localhost:${ports.https}/`,
        ]),
      );
    }
    const untrusting = await person.run(['curl', '-sS', `https://api.localhost:${ports.https}/info`]);
    assert.equal(untrusting.code, 60, untrusting.text);
    assert.equal(statSync(authority.replace(/crt$/, 'key')).mode & 0o777, 0o600);
  });

  it('tells the whole state, also to a program', async () => {
    const ran = await demand(person.npm('status'));
    assert.match(ran.stdout, /api-node .*Synced +Healthy +ghcr\.io\/zainasr\/api-node:\S+ \(stand-in\)/);
    assert.match(ran.stdout, /All is well\./);
    const { ok, applications, targets } = await report();
    assert.equal(ok, true);
    assert.deepEqual(applications.map(({ name }) => name).sort(), ['api-node', 'core-go', 'worker-python']);
    for (const application of applications) assert.equal(application.revision, await head());
    assert.deepEqual(targets.down, []);
    // Prometheus begins with Argo CD's own metrics as soon as it has the right to look for them, up to a minute later.
    await eventually('every target is up', 90, async () => {
      const now = (await report()).targets;
      return now.total >= 11 && now.up === now.total;
    });
    assert.equal((await demand(person.npm('doctor'))).code, 0);
  });

  it('changes nothing when it is run again', async () => {
    const ran = await demand(person.npm('up'));
    assert.match(ran.stdout, /nothing was changed/);
  });

  it('works on a terminal as well', async () => {
    const ran = await demand(person.runOnTerminal('stty cols 100 rows 40 && npm run up'));
    assert.match(ran.text, /nothing was changed/);
    assert.ok(ran.text.includes('\u001b['));
  });

  it('shows the passwords, and Grafana takes its own', async () => {
    const { stdout } = await demand(person.npm('passwords', 'grafana'));
    const grafana = ['--cacert', authority, `https://grafana.localhost:${ports.https}/api/search`];
    const ran = await demand(person.run(['curl', '-fsS', '-u', `admin:${stdout.trim()}`, ...grafana]));
    assert.match(ran.stdout, /platform-overview/);
    assert.match((await demand(person.npm('passwords'))).stdout, /argocd +admin +\S{8,}/);
  });

  monitoringPromises(() => ({ person, cluster, ports }));
  supportPromises(() => ({ person, cluster }));
  habitsPromises(() => ({
    person,
    cluster,
    kubeconfig: { file: join(person.home, '.kube/config'), text: decoyConfig },
  }));

  gitPromises(() => ({ person, cluster }));

  it('never has a broken configuration of Prometheus replace one that works', async () => {
    const file = join(person.clone, 'observability/prometheus/config/prometheus.yml');
    const whole = readFileSync(file, 'utf8');
    writeFileSync(file, whole.replace('scrape_interval: 5s', 'scrap_interval: 5s'));
    const unmade = await person.npm('up');
    assert.match(unmade.stderr, /configMap\.yml does not say what its sources say/);
    await demand(person.npm('validate', 'files', '--fix'));
    const ran = await person.npm('up');
    writeFileSync(file, whole);
    await demand(person.npm('validate', 'files', '--fix'));
    assert.equal(ran.code, 1);
    assert.match(ran.stderr, /Prometheus would refuse prometheus\.yml: .*scrap_interval/);
    assert.match((await demand(person.npm('status'))).stdout, /All is well\./);
  });

  inCampaign('says that Prometheus refuses what somebody put past the scripts, and puts it right', async () => {
    const broken = JSON.stringify({ data: { 'prometheus.yml': 'scrape_config: []\n' } });
    const patch = ['patch', 'configmap', 'prometheus-config', '--type=merge', '--patch', broken];
    await kubectl('--namespace=observability', ...patch);
    await eventually('Prometheus has looked at what somebody put past the scripts', 180, async () => {
      const { components, targets } = await report();
      const { state, ...told } = components.find(({ name }) => name === 'prometheus') ?? assert.fail();
      assert(targets.up > 0 && targets.down.length === 0, 'it goes on as before');
      return state !== 'ready' && 'missing' in told && told.missing.includes('refuses its configuration');
    });
    await demand(person.npm('up'));
    await demand(person.npm('status'));
  });

  for (const [what, ...command] of [
    ['a namespace', 'delete', 'namespace', 'observability'],
    ['a Deployment', 'delete', 'deployment', 'core-go'],
    ["Argo CD's resource definitions", 'delete', 'crd', 'applications.argoproj.io', 'appprojects.argoproj.io'],
    ["Argo CD's namespace", 'delete', 'namespace', 'argocd', '--wait=false'],
  ] as const) {
    const declared = what === 'a Deployment' ? it : inCampaign;
    declared(`puts right that somebody deleted ${what}`, async () => {
      await kubectl(...command);
      await demand(person.npm('up'));
      await demand(person.npm('status'));
    });
  }

  inCampaign('wakes a node container that was stopped', async () => {
    await demand(person.run(['docker', 'stop', '--time', '5', `${cluster}-control-plane`]));
    assert.equal((await person.npm('status')).code, 1);
    const ran = await demand(person.npm('up'));
    assert.match(ran.stdout, /The platform is up/);
    await demand(person.npm('status'));
  });

  it('sleeps and wakes again, with all that was in it', async (t) => {
    const node = `${cluster}-control-plane`;
    const inspect = async (format: string) =>
      (await demand(person.run(['docker', 'inspect', '--format', format, node]))).stdout.trim();
    const pods = async () => {
      const query = ['get', 'pods', '--namespace=default', '--output=jsonpath={.items[*].metadata.uid}'];
      return (await demand(person.run(['kubectl', '--kubeconfig', kubeconfig, ...query]))).stdout.split(' ');
    };
    const podsBefore = await pods();
    const stopped = await demand(person.npm('stop'));
    assert.match(stopped.stdout, new RegExp(`^The cluster ${cluster} is stopped`));
    assert.equal(await inspect('{{.State.Status}}'), 'exited');
    const running = await demand(person.run(['docker', 'ps', '--quiet', '--filter', `name=^${cluster}-`]));
    assert.equal(running.stdout, '');
    assert.match((await demand(person.npm('stop'))).stdout, /is stopped already/);

    const started = await demand(person.npm('start'));
    assert.match(started.stdout, /The platform is up/);
    t.diagnostic(`stopped in ${stopped.seconds.toFixed(1)} s, serving again in ${started.seconds.toFixed(1)} s`);
    await demand(person.npm('status'));
    const podsAfter = await pods();
    assert.deepEqual(
      podsBefore.filter((uid) => !podsAfter.includes(uid)),
      [],
    );
    assert.match((await demand(person.npm('start'))).stdout, /nothing was changed/);
  });

  describe('the charts', () => productionPromises(() => ({ person, cluster, ports })));

  it('refuses a cluster of that name that another checkout made, and leaves it alone', async () => {
    const other = join(person.home, 'other clone');
    await demand(person.run(['git', 'clone', '--quiet', person.clone, other]));
    const command = ['node', 'platform.mjs'] as const;
    await demand(person.run(['cp', '-r', 'node_modules', other]));
    for (const name of ['up', 'down']) {
      const ran = await person.run([...command, name], { cwd: other });
      assert.equal(ran.code, 2, ran.text);
      assert.match(ran.stderr, /was made from another checkout/);
    }
  });

  it("never touched the person's kubeconfig, nor the cluster that it points to", () => {
    assert.equal(readFileSync(join(person.home, '.kube/config'), 'utf8'), decoyConfig);
    assert.equal(decoyRequests, 0);
    assert.equal(statSync(join(person.clone, kubeconfig)).mode & 0o777, 0o600);
  });

  it('goes away, says what it removed, and says so when there is nothing left', async () => {
    const forward = await startForward(person, ['grafana']);
    await forward.says(/✔ grafana leads/, 60);
    const ran = await demand(person.npm('down', '--purge', '--yes'));
    assert.equal(await forward.ended, 1);
    assert.match(forward.said(), /was deleted, so nothing is forwarded any more/);
    assert.match(ran.stdout, /process \d+ \(npm run port-forward\)/);
    assert.match(ran.stdout, new RegExp(`cluster ${cluster}`));
    assert.match(ran.stdout, /^0 left\.$/m);
    assert.equal((await person.run(['find', person.home, '-name', '*.tar'])).stdout, '');
    assert.ok(!existsSync(join(person.clone, '.state')));
    assert.ok(!existsSync(join(person.clone, '.git/platform-ops')));
    const left = await demand(
      person.run(['docker', 'ps', '--all', '--quiet', '--filter', `label=io.x-k8s.kind.cluster=${cluster}`]),
    );
    assert.equal(left.stdout, '');
    assert.match((await demand(person.npm('down'))).stdout, /Nothing to remove/);
    assert.equal((await person.npm('status')).code, 1);
  });
});
