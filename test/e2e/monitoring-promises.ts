import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { apiOf, replacePod, restartApiServer } from '../campaigns/forward/availability.ts';
import { startForward } from '../campaigns/forward/running.ts';
import { faults } from '../campaigns/verify/faults.ts';
import { plantingOn } from '../campaigns/verify/planting.ts';
import { verifyAs } from '../campaigns/verify/verifying.ts';
import { isCampaign } from './campaign.ts';
import { eventually } from './cluster-view.ts';
import { demand, type Person } from './support.ts';

export interface Watched {
  person: Person;
  cluster: string;
  ports: { http: number; https: number };
}

/** One that is planted and taken away within seconds; `npm run test:verify` plants all. */
const cheap = "a changed password of Grafana's";

/** What a person sees of the monitoring, and how they get to it: tests for the cluster that `watched` hands back. */
export function monitoringPromises(watched: () => Watched): void {
  it('keeps what the monitoring promises', async (t) => {
    const verified = await verifyAs(watched().person, '--timeout', '240');
    assert.equal(verified.code, 0, verified.text);
    for (const { check, ok, detail } of verified.checks) {
      assert.equal(ok, true, check);
      t.diagnostic(`${check}: ${detail}`);
    }
  });

  for (const fault of faults.filter(({ what }) => what === cheap)) {
    it(`calls ${fault.what} by its name`, async () => {
      const { person, cluster } = watched();
      const planted = plantingOn(person, cluster);
      await fault.plant(planted);
      const verified = await verifyAs(person, '--timeout', '45');
      await fault.restore(planted);
      assert.equal(verified.code, 1, verified.text);
      assert.match(verified.firstCause?.message ?? '', fault.says);
      await planted.restartGrafana();
    });
  }

  it('forwards on when a pod is replaced, and in the campaign while the API server restarts, and leaves nothing when it ends', async (t) => {
    const { person, cluster } = watched();
    const api = apiOf(person, cluster);
    const forward = await startForward(person, ['grafana', 'api']);
    // `npm run test:forward` replaces all of them, again and again.
    for (const name of isCampaign ? ['grafana', 'api'] : ['api']) {
      const time = await replacePod(person, cluster, api, name, forward.urls.get(name) ?? '');
      t.diagnostic(`${name} works again ${Math.round(time)} ms after its next pod was ready`);
      assert.ok(time <= 2000, `${name} works again after ${Math.round(time)} ms`);
    }
    const restarted = isCampaign ? await restartApiServer(person, cluster, api, forward.urls) : [];
    for (const [name, time] of restarted)
      t.diagnostic(`${name} works again ${Math.round(time)} ms after the API server did`);
    assert.equal(await forward.interrupt(), 130);
    assert.match(forward.said(), /Nothing is forwarded any more/);
    const { stdout } = await person.run(['ps', '-A', '-ww', '-o', 'args=']);
    assert.doesNotMatch(stdout, new RegExp(`${cluster}/kubeconfig .*port-forward`));
  });

  it('sends load, and tells what came back and which dashboards show it', async () => {
    const { person, ports } = watched();
    const url = `https://api.localhost:${ports.https}/info`;
    // A moment ago its pod was replaced, which the forward follows and the ingress learns of later.
    await eventually('the API answers', 60, async () => (await person.run(['curl', '-fsk', url])).code === 0);
    // The last of them is due a tenth of a second before the four are over.
    const { stdout } = await demand(person.npm('traffic', '--seconds', '4', '--rate', '10', '--errors', '10'));
    assert.match(stdout, new RegExp(`^Sent 40 requests to https://api\\.localhost:${ports.https} in [34]\\.\\d s`));
    assert.match(stdout, /36 times 200 +\/info\n +4 times 404 +\/no-such-page/);
    assert.match(stdout, new RegExp(`https://grafana\\.localhost:${ports.https}/d/platform-overview`));
  });

  it('opens an address in the browser, and prints it where there is none', async () => {
    const { person, ports } = watched();
    const url = `https://prometheus.localhost:${ports.https}`;
    const bin = join(person.home, 'bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'xdg-open'), `#!/bin/sh\necho "$1" > "$HOME/opened"\n`);
    chmodSync(join(bin, 'xdg-open'), 0o755);
    const env = { PATH: `${bin}:${person.env.PATH}` };
    const open = ['npm', 'run', '--silent', 'open', '--', 'prometheus'] as const;
    const blind = await demand(person.run(open, { env }));
    assert.match(blind.text, /there is no screen/);
    assert.equal(blind.stdout.trim(), url);
    await demand(person.run(open, { env: { ...env, DISPLAY: ':0' } }));
    assert.equal((await demand(person.run(['cat', join(person.home, 'opened')]))).stdout.trim(), url);
  });
}
