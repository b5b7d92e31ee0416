import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startForward } from '../campaigns/forward/running.ts';
import { reportIn } from '../support/status-schema.ts';
import { viewOf } from './cluster-view.ts';
import { demand, newPerson, type Person } from './support.ts';

const cluster = 'e2e-other-services';
const ports = { http: 26280, https: 26643 };
const script = readFileSync(fileURLToPath(new URL('other-services.sh', import.meta.url)), 'utf8');

/** Nothing is called as it was shipped: gateway asks backend, which is in a namespace of its own; fourth is a chart by hand. */
describe('what people bring', () => {
  let person: Person;
  let charts: Server;
  let view: ReturnType<typeof viewOf>;

  before(async () => {
    person = await newPerson({ cluster, ports, env: { GHCR_CREDENTIALS: 'none' } });
    view = viewOf(person, cluster);
    charts = await helmRepository(person);
    const { address, port } = charts.address() as AddressInfo;
    await demand(person.run(['bash', '-c', script, '-', `http://${address}:${port}`]));
  });
  after(async () => {
    charts?.close();
    await person?.remove();
  });

  it('comes up, each service in its namespace', async (t) => {
    const ran = await demand(person.npm('up'));
    t.diagnostic(`up: ${ran.seconds.toFixed(1)} s`);
    const report = reportIn((await demand(person.npm('status', '--json'))).stdout);
    const rows = report.applications.map(({ name, health, standIn }) => `${name} ${health} ${standIn}`);
    assert.deepEqual(rows.toSorted(), [
      'backend Healthy true',
      'folder Healthy false',
      'fourth Healthy false',
      'gateway Healthy true',
      'generated Healthy false',
      'released Healthy false',
      'several Healthy false',
    ]);
    const deployed = await namesOf('deployments', 'internal');
    assert.deepEqual(deployed, ['backend']);
    const maps = await namesOf('configmaps', 'default');
    for (const name of ['one', 'two', 'three', 'generated', 'released']) assert(maps.includes(name), name);
    assert((await namesOf('configmaps', 'argocd')).includes('by-hand'));
  });

  it('does not differ from what up would make of it', async () => {
    const { stdout } = await demand(person.npm('diff'));
    assert.match(stdout, /^Nothing would change\.$/m);
    const again = await demand(person.npm('up'));
    assert.match(again.text, /nothing was changed/);
  });

  it('is verified, asked and forwarded to', async () => {
    await demand(person.npm('verify', '--timeout', '60'));
    const asked = await demand(person.npm('traffic', '--seconds=2', '--errors=0', '--json'));
    const { requests, answers } = JSON.parse(asked.stdout);
    assert.deepEqual(answers, [{ path: '/info', status: 200, count: requests }]);
    const forward = await startForward(person, ['api']);
    const url = new URL('/info', forward.urls.get('api'));
    // The addresses are told before they lead anywhere.
    const patient = ['--retry', '30', '--retry-delay', '1', '--retry-connrefused'];
    const forwarded = await demand(person.run(['curl', '-fsS', ...patient, url.href]));
    assert.equal(await forward.interrupt(), 130);
    assert.match(forwarded.stdout, /"upstream":\{"service":"backend"/);
    const { stdout: logs } = await demand(person.npm('logs', 'backend', '--json'));
    assert.match(logs, /"namespace":"internal"|"pod":"backend-/);
  });

  it('follows a commit of a service, and of a folder', async () => {
    writeFileSync(join(person.clone, 'extras/one/it.yaml'), configMap('one', 'a commit'));
    const values = join(person.clone, 'helm/backend/values-dev.yaml');
    writeFileSync(values, readFileSync(values, 'utf8').replace(/ENV: \S+/, 'ENV: moved'));
    await demand(person.run(['git', 'commit', '--quiet', '--all', '--message', 'Change two']));
    const report = await demand(person.npm('sync'));
    assert.match(report.stdout, /backend: \w+ Change two/);
    const changed = await view.json<{ data: object }>('get', 'configmap', 'one');
    assert.deepEqual(changed.data, { from: 'a commit' });
    const history = await person.npm('history', 'folder');
    assert.match(history.text, /folder is an Application, and no service/);
  });

  it('keeps its promises in a drill', async () => {
    const ran = await demand(person.npm('drill', '--yes', '--only=self-heal,pod-kill'));
    assert.match(ran.stdout, /2 of 2 promises held/);
  });

  it('goes with reset, its namespace as well', async () => {
    await demand(person.npm('reset', '--yes'));
    assert.equal((await view.kubectl('get', 'namespace', 'internal')).code, 1);
    const left = await namesOf('configmaps', 'default');
    assert.deepEqual(left, ['kube-root-ca.crt']);
  });

  const namesOf = async (kind: string, namespace: string) => {
    type List = { items: { metadata: { name: string } }[] };
    const { items } = await view.json<List>('get', kind, `--namespace=${namespace}`);
    return items.map(({ metadata }) => metadata.name);
  };
});

/** A repository with the chart `released`, which answers where both this machine and a pod reach it, be there a cluster yet or not. */
async function helmRepository(person: Person): Promise<Server> {
  const folder = join(person.home, 'charts');
  const made = [
    'bash',
    '-c',
    'mkdir -p "$0" && cd "$0" && helm create released && rm -r released/templates/*',
  ] as const;
  await demand(person.run([...made, folder]));
  mkdirSync(join(folder, 'released/templates'), { recursive: true });
  writeFileSync(join(folder, 'released/templates/it.yaml'), configMap('released', 'a chart'));
  await demand(person.run(['bash', '-c', 'helm package released && helm repo index .'], { cwd: folder }));
  const inspect = ['docker', 'network', 'inspect', 'bridge', '--format', '{{range .IPAM.Config}}{{.Gateway}} {{end}}'];
  const { stdout } = await demand(person.run(inspect as [string, ...string[]]));
  const gateway = stdout.split(' ').find((one) => /^[\d.]+$/.test(one));
  const server = createServer(({ url = '/' }, response) => {
    try {
      response.end(readFileSync(join(folder, url)));
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, gateway, resolve));
  return server;
}

function configMap(name: string, from: string): string {
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {from: ${from}}\n`;
}
