import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { get as getPlain } from 'node:http';
import { Agent, get } from 'node:https';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type SecureVersion } from 'node:tls';
import { eventually, viewOf } from './cluster-view.ts';
import { demand, newPerson, type Person } from './support.ts';
import { ask, type Door, steadyStream } from './traffic.ts';

const cluster = 'e2e-ingress';
const ports = { http: 26080, https: 26443 };

interface Ingress {
  metadata: { name: string };
  status: { loadBalancer?: { ingress?: { hostname?: string }[] } };
}

/** What the ingress controller lets through, and what it refuses, shown on a real cluster. */
describe('the ingress controller', () => {
  let person: Person;
  let view: ReturnType<typeof viewOf>;
  let door: Door;

  before(async () => {
    person = await newPerson({ cluster, ports });
    view = viewOf(person, cluster);
    await demand(person.npm('up'));
    const ca = readFileSync(join(person.home, '.local/share/platform-ops/ca/ca.crt'), 'utf8');
    door = { port: ports.https, host: 'api.localhost', ca };
  });
  after(() => person?.remove());

  it('sends HTTP on to HTTPS, at the port where this person has it', async () => {
    const { status, location } = await redirected('/info?a=b');
    assert.equal(status, 308);
    assert.equal(location, `https://api.localhost:${ports.https}/info?a=b`);
    const { status: answered, body } = await ask(door, '/info?a=b');
    assert.equal(answered, 200);
    assert.match(body, /core-go/);
  });

  it('speaks TLS 1.2 and 1.3, and nothing older', async () => {
    for (const version of ['TLSv1', 'TLSv1.1'] as const) {
      await assert.rejects(handshake(version), { code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' });
    }
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) assert.equal(await handshake(version), version);
  });

  it('tells nobody what it is', async () => {
    for (const path of ['/info', '/nowhere']) {
      const { headers } = await ask(door, path);
      assert.equal(headers.server, undefined);
      assert.equal(headers['x-powered-by'], undefined);
      assert.equal(headers['strict-transport-security'], undefined, 'not on a laptop');
    }
  });

  it('answers all who stay below the limit of the Ingress, and tells who exceeds it 429', async () => {
    const stream = steadyStream(door, '/health', 20);
    await sleep(5000);
    const { answered, lost } = await stream.stop();
    assert.deepEqual(lost, []);
    assert.ok(answered > 50, `only ${answered} requests`);

    const statuses = await flood('/health', 1200);
    assert.deepEqual(new Set(statuses), new Set([200, 429]));
    // Whoever waits is let in again.
    await eventually('the limit is over', 30, async () => (await ask(door, '/health')).status === 200);
  });

  it('refuses an Ingress that brings configuration for nginx', async () => {
    const snippet = 'nginx.ingress.kubernetes.io/configuration-snippet=return 200;';
    const ran = await view.kubectl('annotate', 'ingress', 'api-node', snippet);
    assert.equal(ran.code, 1);
    assert.match(ran.stderr, /admission webhook "validate\.nginx\.ingress\.kubernetes\.io" denied the request/);
  });

  it('is scraped by Prometheus', async () => {
    interface Targets {
      data: { activeTargets: { labels: { job: string }; health: string }[] };
    }
    await eventually('Prometheus sees it up', 60, async () => {
      const { body } = await ask({ ...door, host: 'prometheus.localhost' }, '/api/v1/targets?state=active');
      const { activeTargets } = (JSON.parse(body) as Targets).data;
      const ours = activeTargets.filter(({ labels }) => labels.job === 'ingress-nginx');
      return ours.length === 1 && ours[0]?.health === 'up';
    });
  });

  it('writes into every Ingress that its address is localhost', async () => {
    await eventually('every Ingress has it', 90, async () => {
      const { items } = await view.json<{ items: Ingress[] }>('get', 'ingress', '--all-namespaces');
      return (
        items.length >= 4 && items.every(({ status }) => status.loadBalancer?.ingress?.[0]?.hostname === 'localhost')
      );
    });
  });

  it('is left alone by another up', async () => {
    const ran = await demand(person.npm('up'));
    assert.match(ran.stdout, /nothing was changed/);
  });

  /** Where plain HTTP sends a path of the API. */
  function redirected(path: string): Promise<{ status: number | undefined; location: string | undefined }> {
    return new Promise((resolve, reject) => {
      const headers = { host: `${door.host}:${ports.http}` };
      const request = getPlain({ host: '127.0.0.1', port: ports.http, path, headers }, (response) => {
        response.resume();
        resolve({ status: response.statusCode, location: response.headers.location });
      });
      request.on('error', reject);
    });
  }

  /** Offers one version of TLS only; hands back the one that was agreed on, or throws what the server says. */
  function handshake(version: SecureVersion): Promise<string | null> {
    return new Promise((resolve, reject) => {
      const options = {
        host: '127.0.0.1',
        port: door.port,
        servername: door.host,
        ca: door.ca,
        minVersion: version,
        maxVersion: version,
        // Without this, OpenSSL would not even offer the old ones, and the server could not refuse.
        ciphers: 'DEFAULT@SECLEVEL=0',
      };
      const socket = connect(options, () => {
        resolve(socket.getProtocol());
        socket.destroy();
      });
      socket.on('error', reject);
    });
  }

  /** Asks so many times, as fast as it goes over a few connections. Hands back the status of each answer. */
  function flood(path: string, count: number): Promise<number[]> {
    const agent = new Agent({ keepAlive: true, maxSockets: 20 });
    const headers = { host: `${door.host}:${door.port}` };
    const options = { host: '127.0.0.1', port: door.port, path, headers, servername: door.host, ca: door.ca, agent };
    const one = () =>
      new Promise<number>((resolve, reject) => {
        const request = get(options, (response) => {
          response.resume();
          response.on('end', () => resolve(response.statusCode ?? 0));
          response.on('error', reject);
        });
        request.on('error', reject);
      });
    return Promise.all(Array.from({ length: count }, one)).finally(() => agent.destroy());
  }
});
