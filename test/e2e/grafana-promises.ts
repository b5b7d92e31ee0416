import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { base64 } from '../../scripts/lib/secret.ts';
import { dashboardPath } from '../../scripts/repository/dashboards/files.ts';
import { hasData } from '../../scripts/repository/dashboards/queries.ts';
import { demand, type Person } from './support.ts';
import { ask, type Door } from './traffic.ts';

const folder = 'observability/grafana/dashboards';

/** What Grafana promises of the dashboards, on a cluster that runs and whose services were asked something. */
export function grafanaPromises(scene: () => { person: Person; door: Door }): void {
  const grafana = async () => {
    const { person, door } = scene();
    const password = (await demand(person.npm('passwords', 'grafana'))).stdout.trim();
    const authorization = `Basic ${base64(`admin:${password}`)}`;
    return (path: string, headers: Record<string, string> = { authorization }) =>
      ask({ ...door, host: 'grafana.localhost' }, path, headers);
  };
  const text = (file: string) => readFileSync(join(scene().person.clone, file), 'utf8');
  const uids = () =>
    readdirSync(join(scene().person.clone, folder))
      .map((name) => name.replace(/\.json$/, ''))
      .sort();

  it('every dashboard is in Grafana as its file has it, and pulling changes no byte', async () => {
    const { person } = scene();
    const list = JSON.parse((await demand(person.npm('dashboards', 'list', '--json'))).stdout) as {
      uid: string;
      state: string;
    }[];
    assert.deepEqual(
      list.map(({ uid, state }) => `${uid} ${state}`),
      uids().map((uid) => `${uid} same`),
    );
    await demand(person.npm('dashboards', 'pull'));
    assert.equal((await demand(person.run(['git', 'status', '--porcelain', '--', folder]))).stdout, '');
  });

  it('a file that is ahead of Grafana is shown as such, and is not pulled back', async () => {
    const { person } = scene();
    const [file, before] = [dashboardPath('core-go'), text(dashboardPath('core-go'))];
    writeFileSync(join(person.clone, file), before.replace('"refresh": "10s"', '"refresh": "1m"'));
    try {
      const { stdout, code } = await person.npm('dashboards', 'diff', 'core-go');
      assert.equal(code, 1);
      assert.match(stdout, /^-\s+"refresh": "1m",\n\+\s+"refresh": "10s",$/m);
      assert.match((await demand(person.npm('dashboards', 'pull'))).stdout, /core-go: only the file was changed/);
      assert.match(text(file), /"refresh": "1m"/);
    } finally {
      writeFileSync(join(person.clone, file), before);
    }
  });

  // What each panel shows, `npm run verify` looks at.
  it('its data source answers', async () => {
    const reach = await grafana();
    const { status, body } = await reach('/api/datasources/proxy/uid/prometheus/api/v1/query?query=up');
    assert.equal(status, 200, body);
    assert(hasData(JSON.parse(body)), body);
  });

  it('nobody looks at it without the password', async () => {
    const reach = await grafana();
    for (const headers of [{}, { authorization: `Basic ${base64('admin:admin')}` }] as Record<string, string>[]) {
      assert.equal((await reach('/api/search', headers)).status, 401);
    }
  });
}
