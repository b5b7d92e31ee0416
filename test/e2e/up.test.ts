import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startForward } from '../campaigns/forward/running.ts';
import { reportIn } from '../support/status-schema.ts';
import { eventually } from './cluster-view.ts';
import { gitPromises, plantInGitFolder } from './git-promises.ts';
import { habitsPromises } from './habits-promises.ts';
import { monitoringPromises } from './monitoring-promises.ts';
import { demand, giveKubeconfig, newPerson, type Person } from './support.ts';
import { supportPromises } from './support-promises.ts';

const cluster = 'e2e-up';
const ports = { http: 28080, https: 28443 };
const kubeconfig = `.state/${cluster}/kubeconfig`;

/** One person, one day, in order: each step starts from what the one before it left. */
describe('a person without root rights, with a fresh shallow clone in a path with spaces', () => {
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
    person = await newPerson({ cluster, ports, clone: 'shallow' });
    await plantInGitFolder(person);
    decoyConfig = giveKubeconfig(person, `http://127.0.0.1:${(decoy.address() as AddressInfo).port}`);
  });
  after(async () => {
    decoy?.close();
    await person?.remove();
  });

  /** The certificate of the local authority, once there is one. */
  let authority = '';
  const head = async () => (await demand(person.run(['git', 'rev-parse', 'HEAD']))).stdout.trim();
  const report = async () => reportIn((await person.npm('status', '--json')).stdout);
  const kubectl = (...args: string[]) => demand(person.run(['kubectl', '--kubeconfig', kubeconfig, ...args]));
  const info = async () => {
    const { stdout } = await demand(
      person.run([
        'curl',
        '-fsS',
        '--max-time',
        '5',
        '--cacert',
        authority,
        `https://api.localhost:${ports.https}/info`,
      ]),
    );
    return JSON.parse(stdout) as { version: string; upstream: { service: string; env: string } };
  };

  it('comes up without a token, and says what runs and where', async () => {
    const ran = await demand(person.npm('up'));
    assert.match(ran.stdout, /The platform is up/);
    for (const host of ['api', 'argocd', 'prometheus', 'grafana'])
      assert.ok(ran.stdout.includes(`https://${host}.localhost:${ports.https}`), ran.stdout);
    assert.match(ran.stdout, /ghcr\.io\/zainasr\/api-node:\S+ \(stand-in\)/);
    assert.match(ran.stderr, /✔ services +\d+\.\d s/);
    authority = JSON.parse((await demand(person.npm('trust', '--json'))).stdout).certificate;
    assert.equal((await info()).upstream.service, 'core-go');
  });

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

  it('runs a commit within seconds, under its own SHA', async () => {
    const file = join(person.clone, 'helm/core-go/values-dev.yaml');
    writeFileSync(file, readFileSync(file, 'utf8').replace(/ENV: \S+/, 'ENV: committed'));
    await demand(person.run(['git', 'commit', '--quiet', '--all', '--message', 'Say that this was committed']));
    const commit = await head();
    const deadline = Date.now() + 90_000;
    while ((await info().catch(() => undefined))?.upstream.env !== 'committed') {
      assert.ok(Date.now() < deadline, 'the commit did not run within 90 s');
      await sleep(500);
    }
    const application = (await report()).applications.find(({ name }) => name === 'core-go');
    assert.equal(application?.revision, commit);
    await demand(person.npm('up'));
  });

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
    it(`puts right that somebody deleted ${what}`, async () => {
      await kubectl(...command);
      await demand(person.npm('up'));
      await demand(person.npm('status'));
    });
  }

  it('wakes a node container that was stopped', async () => {
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
    const ran = await demand(person.npm('down'));
    assert.equal(await forward.ended, 1);
    assert.match(forward.said(), /was deleted, so nothing is forwarded any more/);
    assert.match(ran.stdout, /process \d+ \(npm run port-forward\)/);
    assert.match(ran.stdout, new RegExp(`cluster ${cluster}`));
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
