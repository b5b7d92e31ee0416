import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, it } from 'node:test';
import type { DeliveryResult } from '../../scripts/delivery/promote/result.ts';
import { verifyAs } from '../campaigns/verify/verifying.ts';
import { inCampaign } from './campaign.ts';
import { eventually, viewOf } from './cluster-view.ts';
import { demand, type Person, type SharedPlatform } from './support.ts';
import { ask, type Door } from './traffic.ts';

const name = 'greeter';
const all = ['api-node', 'core-go', name, 'worker-python'];

/** From nothing to a fourth service that runs, is watched and is promoted; each step starts from what the one before it left. */
export function newServicePromises({ cluster, ports, begin }: SharedPlatform): void {
  let person: Person;
  let door: Door;
  const git = async (...args: string[]) => (await demand(person.run(['git', ...args]))).stdout.trim();
  const prometheus = async (query: string) => {
    const path = `/api/v1/query?${new URLSearchParams({ query })}`;
    const { status, body } = await ask({ ...door, host: 'prometheus.localhost' }, path);
    assert.equal(status, 200, body);
    const { data } = JSON.parse(body) as {
      data: { result: { metric: Record<string, string>; value: [number, string] }[] };
    };
    return data.result;
  };

  before(async () => {
    person = await begin();
  });

  it('generates it by one command, and is told at the second that it is there', async () => {
    const ran = await demand(person.npm('new-service', name));
    assert.match(ran.stdout, /^greeter: an HTTP service on port 8080, ghcr\.io\/\S+\/greeter:\w+$/m);
    assert.match(ran.stdout, /^ {2}new +argocd\/greeter\.yaml$/m);
    const before = await git('status', '--porcelain');
    const again = await person.npm('new-service', name);
    assert.equal(again.code, 2, again.text);
    assert.match(again.stderr, /There is a service greeter already\./);
    assert.equal(await git('status', '--porcelain'), before);
  });

  it('commits it as the command said, and up has it run beside the others', async (t) => {
    await git('add', `helm/${name}`, 'argocd', 'observability', 'standins', 'docs');
    await git('commit', '--quiet', '--message', `Add ${name}`);
    assert.equal(await git('status', '--porcelain'), '');
    const ran = await demand(person.npm('up'));
    t.diagnostic(`up with a fourth service: ${ran.seconds.toFixed(1)} s`);
    const { certificate } = JSON.parse((await demand(person.npm('trust', '--json'))).stdout);
    door = { port: ports.https, host: 'api.localhost', ca: readFileSync(certificate, 'utf8') };
    assert.deepEqual(
      (await viewOf(person, cluster).applications()).toSorted((one, other) => (one.name < other.name ? -1 : 1)),
      all.map((application) => ({ name: application, sync: 'Synced', health: 'Healthy' })),
    );
    const status = JSON.parse((await demand(person.npm('status', '--json'))).stdout);
    assert.equal(status.applications.find((one: { name: string }) => one.name === name)?.standIn, true);
  });

  it('finds its target up in Prometheus, and its name among those that the alert on absent services knows', async () => {
    const up = await eventually(`up of ${name}`, 60, async () => {
      const found = await prometheus(`up{service="${name}",job="${name}"} == 1`);
      return found.length > 0 && found;
    });
    assert.equal(up.length, 1);
    await eventually(`${name} among the services that are missed`, 60, async () => {
      const known = await prometheus(`service:deployed:group{namespace="default",service="${name}"}`);
      return known.length === 1;
    });
    assert.deepEqual(await prometheus('ALERTS{alertname="ServiceMissing"}'), []);
  });

  it('finds its dashboard in Grafana, and nothing on it that is empty without a reason', async () => {
    const list = JSON.parse((await demand(person.npm('dashboards', 'list', '--json'))).stdout) as object[];
    assert.deepEqual(
      list.find((one) => 'uid' in one && one.uid === name),
      { uid: name, title: name, state: 'same' },
    );
    const verified = await verifyAs(person, '--timeout', '240');
    assert.equal(verified.code, 0, verified.text);
  });

  inCampaign('promotes it to another tag in one go', async (t) => {
    const ran = await demand(person.npm('promote', name, 'a1b2c3d', '--json'));
    const { changes, receipts, commit } = JSON.parse(ran.stdout) as DeliveryResult;
    assert.deepEqual(
      changes.map(({ service }) => service),
      [name],
    );
    const receipt = receipts.find(({ application }) => application === name);
    assert.deepEqual(
      [receipt?.revision, receipt?.changed, receipt?.image?.standIn],
      [commit, true, true],
      JSON.stringify(receipts),
    );
    assert.match(receipt?.image?.name ?? '', /\/greeter:a1b2c3d$/);
    assert.equal(await git('show', '--numstat', '--format='), `1\t1\thelm/${name}/values.yaml`);
    await eventually('the new version in Prometheus', 60, async () => {
      const versions = await prometheus(`up{service="${name}"} == 1`);
      return versions.some(({ metric }) => metric.version === 'a1b2c3d');
    });
    t.diagnostic(`promote: ${ran.seconds.toFixed(1)} s`);
  });
}
