import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { demand, newPerson, type Person } from './support.ts';

const cluster = 'e2e-prefetch';
const ports = { http: 28690, https: 29053 };
const control = process.env.E2E_REGISTRY_CONTROL;
const log = process.env.E2E_REGISTRY_LOG;
const skip =
  control && log ? false : 'E2E_REGISTRY_CONTROL and E2E_REGISTRY_LOG, by which registries fail, are not set';
const hosts = ['quay.io', 'docker.io', 'registry-1.docker.io', 'registry.k8s.io', 'ghcr.io', 'public.ecr.aws'];
const sources = ['github.com', 'raw.githubusercontent.com', 'api.github.com', 'dl.k8s.io', 'get.helm.sh'];

describe('after npm run prefetch', { skip, timeout: 900_000 }, () => {
  let person: Person;
  const requests = () => readFileSync(log ?? '', 'utf8').split('\n').length;
  const restore = () => rmSync(control ?? '', { force: true });
  const containers = async () => (await demand(person.run(['docker', 'ps', '--all', '--format', '{{.Names}}']))).stdout;

  before(async () => {
    person = await newPerson({ cluster, ports });
    // A cache of its own, and an empty one.
    person.env.XDG_CACHE_HOME = join(person.home, 'caches');
  });
  after(async () => {
    restore();
    await person?.remove();
  });

  it('everything is on this machine, and no container stays', async () => {
    const ran = await demand(person.npm('prefetch', '--json'));
    const { images, bytes } = JSON.parse(ran.stdout) as { images: string[]; bytes: number };
    assert(
      images.some((image) => image.startsWith('quay.io/argoproj/argocd:')),
      ran.text,
    );
    assert(bytes > 100e6, `${bytes} bytes`);
    assert.doesNotMatch(await containers(), /e2e-prefetch/);
    const asked = requests();
    const again = await demand(person.npm('prefetch'));
    assert.match(again.stdout, /Everything is here, and was before\./);
    assert.equal(requests(), asked, 'fetched again');
  });

  it('up works with every registry out of reach, and asks none', async () => {
    writeFileSync(control ?? '', JSON.stringify({ down: [...hosts, ...sources] }));
    const asked = requests();
    const ran = await person.npm('up');
    restore();
    assert.equal(ran.code, 0, ran.text);
    assert.equal(requests(), asked, 'something was downloaded');
  });

  it('down --purge empties the cache', async () => {
    await demand(person.npm('down', '--purge', '--yes'));
    const found = await person.run(['find', person.env.XDG_CACHE_HOME ?? '', '-name', '*.tar']);
    assert.equal(found.stdout, '');
  });
});
