import assert from 'node:assert/strict';
import { get as getPlain } from 'node:http';
import { Agent, get } from 'node:https';
import { it } from 'node:test';
import { connect, type SecureVersion } from 'node:tls';
import { eventually, type viewOf } from './cluster-view.ts';
import { ask, type Door, steadyStream } from './traffic.ts';

interface Ingress {
  metadata: { name: string };
  status: { loadBalancer?: { ingress?: { hostname?: string }[] } };
}

interface Linked {
  status: { summary: { externalURLs?: string[] } };
}

export interface Behind {
  view: ReturnType<typeof viewOf>;
  door: Door;
  ports: { http: number; https: number };
}

/** What the ingress controller lets through, and what it refuses: tests for the cluster that `behind` hands back. */
export function ingressPromises(behind: () => Behind): void {
  it('sends HTTP on to HTTPS, at the port where this person has it', async () => {
    const { door, ports } = behind();
    const { status, location } = await redirected(behind(), '/info?a=b');
    assert.equal(status, 308);
    assert.equal(location, `https://api.localhost:${ports.https}/info?a=b`);
    const { status: answered, body } = await ask(door, '/info?a=b');
    assert.equal(answered, 200);
    assert.match(body, /core-go/);
  });

  it("is where Argo CD's own link to the service leads, and Grafana's to its dashboard", async () => {
    const { view, ports } = behind();
    const inArgocd = ['--namespace', 'argocd'];
    const { status } = await view.json<Linked>('get', 'application', 'api-node', ...inArgocd);
    assert.deepEqual(status.summary.externalURLs, [`https://api.localhost:${ports.https}/info`]);
    const { data } = await view.json<{ data: Record<string, string> }>('get', 'configmap', 'argocd-cm', ...inArgocd);
    assert.match(data['application.links'] ?? '', new RegExp(`https://grafana\\.localhost:${ports.https}/d/`));
  });

  it('speaks TLS 1.2 and 1.3, and nothing older', async () => {
    const { door } = behind();
    for (const version of ['TLSv1', 'TLSv1.1'] as const) {
      await assert.rejects(handshake(door, version), { code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' });
    }
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) assert.equal(await handshake(door, version), version);
  });

  it('tells nobody what it is', async () => {
    const { door } = behind();
    for (const path of ['/info', '/nowhere']) {
      const { headers } = await ask(door, path);
      assert.equal(headers.server, undefined);
      assert.equal(headers['x-powered-by'], undefined);
      assert.equal(headers['strict-transport-security'], undefined, 'not on a laptop');
    }
  });

  it('answers all who stay below the limit of the Ingress, and tells who exceeds it 429', async () => {
    const { door } = behind();
    const stream = steadyStream(door, '/health', 20);
    await eventually('fifty requests are answered', 60, async () => stream.answered() > 50);
    const { lost } = await stream.stop();
    assert.deepEqual(lost, []);

    const statuses = await flood(door, '/health', 1200);
    assert.deepEqual(new Set(statuses), new Set([200, 429]));
    // Whoever waits is let in again.
    await eventually('the limit is over', 30, async () => (await ask(door, '/health')).status === 200);
  });

  it('is scraped all the same after more made-up methods than its job has samples for', async () => {
    const { door } = behind();
    const numbers = async (query: string) => {
      const path = `/api/v1/query?${new URLSearchParams({ query })}`;
      const { body } = await ask({ ...door, host: 'prometheus.localhost' }, path);
      const { data } = JSON.parse(body) as { data: { result: { value: [number, string] }[] } };
      return data.result.map(({ value }) => Number(value[1]));
    };
    // Of letters: a method with a digit is refused by nginx, and not counted.
    const letter = (nth: number) => String.fromCharCode(65 + (nth % 26));
    for (let nth = 0; nth < 150; nth += 1) await ask(door, '/info', {}, `MADE-UP-${letter(nth / 26)}${letter(nth)}`);
    const job = '{job="ingress-nginx"}';
    // A node that was stopped a while ago had the controller under another address, of which Prometheus knows the last count.
    await eventually('the methods are scraped', 60, async () =>
      (await numbers(`max(scrape_samples_scraped${job})`)).some((count) => count > 6000),
    );
    assert.deepEqual(await numbers(`min(up${job})`), [1]);
    assert.deepEqual(await numbers('count(nginx_ingress_controller_requests{method=~"MADE.*"})'), []);
  });

  it('refuses an Ingress that brings configuration for nginx', async () => {
    const { view } = behind();
    const snippet = 'nginx.ingress.kubernetes.io/configuration-snippet=return 200;';
    const ran = await view.kubectl('annotate', 'ingress', 'api-node', snippet);
    assert.equal(ran.code, 1);
    assert.match(ran.stderr, /admission webhook "validate\.nginx\.ingress\.kubernetes\.io" denied the request/);
  });

  it('is scraped by Prometheus', async () => {
    const { door } = behind();
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
    const { view } = behind();
    await eventually('every Ingress has it', 90, async () => {
      const { items } = await view.json<{ items: Ingress[] }>('get', 'ingress', '--all-namespaces');
      return (
        items.length >= 4 && items.every(({ status }) => status.loadBalancer?.ingress?.[0]?.hostname === 'localhost')
      );
    });
  });
}

/** Where plain HTTP sends a path of the API. */
function redirected(
  { door, ports }: Behind,
  path: string,
): Promise<{ status: number | undefined; location: string | undefined }> {
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
function handshake(door: Door, version: SecureVersion): Promise<string | null> {
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
function flood(door: Door, path: string, count: number): Promise<number[]> {
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
