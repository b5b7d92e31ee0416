import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { viewOf } from '../../e2e/cluster-view.ts';
import { demand, newPerson, type Person } from '../../e2e/support.ts';

const cluster = 'e2e-soak';
const minutes = Number(process.env.SOAK_MINUTES ?? '10');

interface Application {
  metadata: { name: string };
  status?: { operationState?: { startedAt?: string } };
}

/** Looks every five seconds for as long as SOAK_MINUTES says: a difference that comes and goes would be seen. */
describe(`the Applications, left alone for ${minutes} minutes`, () => {
  let person: Person;
  before(async () => {
    person = await newPerson({ cluster, ports: { http: 24080, https: 24443 } });
    await demand(person.npm('up'));
  });
  after(() => person?.remove());

  it('stay in sync and healthy, and are not synced again', async (t) => {
    const view = viewOf(person, cluster);
    // Self-heal that undoes what somebody else writes again and again would show as ever new syncs.
    const syncs = async () => {
      const { items } = await view.json<{ items: Application[] }>(
        'get',
        'applications.argoproj.io',
        '--namespace=argocd',
      );
      return items.map(({ metadata, status }) => `${metadata.name} ${status?.operationState?.startedAt}`).join(', ');
    };
    const end = Date.now() + minutes * 60_000;
    let looks = 0;
    const first = await syncs();
    while (Date.now() < end) {
      for (const { name, sync, health } of await view.applications()) {
        assert.equal(`${name} ${sync} ${health}`, `${name} Synced Healthy`, `after ${looks} looks`);
      }
      looks += 1;
      await sleep(5000);
    }
    assert.equal(await syncs(), first);
    t.diagnostic(`${looks} looks in ${minutes} minutes`);
  });
});
