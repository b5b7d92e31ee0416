import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startProxy } from '../support/proxy.ts';
import { demand, newPerson, type Person } from './support.ts';

const cluster = 'e2e-journey';
const ports = { http: 28690, https: 29053 };
const control = process.env.E2E_REGISTRY_CONTROL;
const log = process.env.E2E_REGISTRY_LOG;
const skip =
  control && log ? false : 'E2E_REGISTRY_CONTROL and E2E_REGISTRY_LOG, by which registries fail, are not set';
const hosts = ['quay.io', 'docker.io', 'registry-1.docker.io', 'registry.k8s.io', 'ghcr.io', 'public.ecr.aws'];
const sources = ['github.com', 'raw.githubusercontent.com', 'api.github.com', 'dl.k8s.io', 'get.helm.sh'];

describe('after npm run prefetch', { skip, timeout: 900_000 }, () => {
  let person: Person;
  const requests = () => readFileSync(log ?? '', 'utf8').split('\n');
  const restore = () => rmSync(control ?? '', { force: true });
  const containers = async () => (await demand(person.run(['docker', 'ps', '--all', '--format', '{{.Names}}']))).stdout;

  before(async () => {
    person = await newPerson({ cluster, ports });
  });
  after(async () => {
    restore();
    await person?.remove();
  });

  it('every image is on this machine, by way of the proxy, and no container stays', async () => {
    const proxy = await startProxy({ login: 'ann:canary' });
    const env = { https_proxy: `http://ann:canary@127.0.0.1:${proxy.port}` };
    const ran = await demand(person.run(['npm', 'run', '--silent', 'prefetch', '--', '--verbose'], { env }));
    proxy.close();
    assert.match(ran.stdout, /npm run up works without a network now\./);
    assert.doesNotMatch(ran.text, /canary/);
    for (const host of ['raw.githubusercontent.com', 'quay.io', 'registry-1.docker.io', 'registry.k8s.io'])
      assert(proxy.asked.includes(`${host}:443`), `${host} was reached without the proxy: ${proxy.asked.join()}`);
    const found = await demand(person.run(['ls', join(person.home, '.cache', 'platform-ops', 'images')]));
    for (const image of ['argoproj%2Fargocd', 'prom%2Fprometheus', 'grafana%2Fgrafana', 'ingress-nginx%2Fcontroller'])
      assert(found.stdout.includes(image), found.stdout);
    assert.doesNotMatch(await containers(), /e2e-journey-prefetch/);
  });

  it('up works with every registry out of reach, and asks none', async () => {
    writeFileSync(control ?? '', JSON.stringify({ down: [...hosts, ...sources] }));
    const asked = requests().length;
    const ran = await person.npm('up');
    restore();
    assert.equal(ran.code, 0, ran.text);
    assert.deepEqual(requests().slice(asked), []);
  });

  it('fetches nothing a second time, and down --purge empties the cache', async () => {
    const asked = requests().length;
    const again = await demand(person.npm('prefetch'));
    assert.match(again.stdout, /Everything is here, and was before\./);
    assert.deepEqual(requests().slice(asked), []);
    await demand(person.npm('down', '--purge', '--yes'));
    const found = await person.run(['find', person.home, '-name', '*.tar']);
    assert.equal(found.stdout, '');
  });
});
