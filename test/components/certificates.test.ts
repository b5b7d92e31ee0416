import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { addresses, addressLines } from '../../scripts/access/addresses.ts';
import { certificateFault, certificates, wantedCertificates } from '../../scripts/components/certificates.ts';
import { askIngress, isLocal, readRoutes, routeTable, siteUrl } from '../../scripts/components/routes.ts';
import { ApiError } from '../../scripts/kubernetes/api/api.ts';
import type { KubeObject } from '../../scripts/kubernetes/objects.ts';
import type { Ingress } from '../../scripts/kubernetes/types.ts';
import { ensureAuthority } from '../../scripts/lib/certificates/authority.ts';
import { createLocalAuthority, selfSigned, signedBy } from '../../scripts/lib/certificates/certificate.ts';
import { base64 } from '../../scripts/lib/secret.ts';
import { made } from '../support/fake-cluster.ts';
import { everyKind, fakeContext, type fakeExec, refusal, temporaryFolder } from '../support/fakes.ts';
import { root, services } from '../support/helm.ts';
import { committedFiles } from '../support/repository.ts';

const dataDir = join(await temporaryFolder(), 'data');
const folder = join(dataDir, 'ca');
const authority = await ensureAuthority(folder);
const issuer = { certificate: authority.certificate, key: authority.key.reveal() };
const head = '0123456789abcdef';

/** The Secrets of a cluster, by namespace and name, those of them that the platform did not make, and what was applied. */
let secrets = new Map<string, { certificate: string; key: string }>();
let theirs: KubeObject[] = [];
let applied: KubeObject[][] = [];
beforeEach(() => {
  secrets = new Map();
  theirs = [];
  applied = [];
});

const hostOf = { dev: 'api.localhost', prod: 'api.example.com' } as const;
const secretOf = { dev: 'localhost-tls', prod: 'api-example-com-tls' } as const;
const decoded = (text: string | undefined) => Buffer.from(text ?? '', 'base64').toString();

function contextFor(environment: 'dev' | 'prod', { ports = { http: 80, https: 443 }, tls = true } = {}) {
  const [host, secretName] = [hostOf[environment], secretOf[environment]];
  const ingress = { enabled: true, hosts: [{ host }], ...(tls && { tls: [{ secretName, hosts: [host] }] }) };
  const files = services.flatMap((service) => {
    const values = { image: { repository: 'r', tag: 'abc' }, ...(service === 'api-node' && { ingress }) };
    return [
      [`helm/${service}/values.yaml`, JSON.stringify(values)],
      [`helm/${service}/values-${environment}.yaml`, '{}'],
    ];
  });
  return fakeContext({
    config: { root, dataDir, environment, ports },
    exec: committedFiles(Object.fromEntries(files)),
    signal: new AbortController().signal,
    checkout: async () => ({ top: root, prefix: '', head }),
    api: () => ({
      json: async (path: string) => {
        const [, namespace, name] = path.match(/^\/api\/v1\/namespaces\/(.+)\/secrets\/(.+)$/) ?? assert.fail(path);
        const secret = secrets.get(`${namespace}/${name}`);
        if (!secret) throw new ApiError(path, 404, 'not found');
        return { data: { 'tls.crt': base64(secret.certificate), 'tls.key': base64(secret.key) } };
      },
      listMetadata: async () => theirs,
    }),
    view: () => ({ listHeads: async () => [], forget: () => {} }),
    timeout: 1000,
    kubectl: async () => ({
      apply: async (objects: KubeObject[]) => {
        applied.push(objects);
        for (const { metadata, data } of secretsAmong(objects)) {
          const { 'tls.crt': certificate, 'tls.key': key } = data as Record<string, string>;
          secrets.set(`${metadata.namespace}/${metadata.name}`, {
            certificate: decoded(certificate),
            key: decoded(key),
          });
        }
        return objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
      },
    }),
  });
}
const secretsAmong = (objects: readonly KubeObject[]) => objects.filter(({ kind }) => kind === 'Secret');

test('every Ingress of ours has a certificate for each of its hosts, and the route table names the same Secret', async () => {
  const named = ((await readRoutes(root)) as Ingress[]).map(({ metadata, spec }) => {
    const hosts = spec.rules?.map(({ host }) => host);
    assert.deepEqual(spec.tls?.[0]?.hosts, hosts);
    return [hosts?.[0], { namespace: metadata.namespace, name: spec.tls?.[0]?.secretName }];
  });
  assert.deepEqual(named.sort(), routeTable.map(({ host, secret }) => [host, secret]).sort());
});

test('a Secret is wanted for each name in each namespace, with all the hosts that are to use it', async () => {
  const argocd = { namespace: 'argocd', name: 'localhost-tls', hosts: ['argocd.localhost'] };
  const hosts = ['grafana.localhost', 'prometheus.localhost'];
  const observability = { namespace: 'observability', name: 'localhost-tls', hosts };
  const api = { namespace: 'default', name: 'localhost-tls', hosts: ['api.localhost'] };
  assert.deepEqual(await wantedCertificates(contextFor('dev')), [argocd, observability, api]);
  const production = { namespace: 'default', name: 'api-example-com-tls', hosts: ['api.example.com'] };
  assert.deepEqual(await wantedCertificates(contextFor('prod')), [argocd, observability, production]);
  assert.deepEqual(await wantedCertificates(contextFor('dev', { tls: false })), [argocd, observability]);
});

test('the Secrets are made once, into namespaces that are there, and known as the platform’s, also when not wanted any more', async () => {
  const context = contextFor('dev');
  const missing = { state: 'absent', missing: 'Secret argocd/localhost-tls is missing' };
  assert.deepEqual(await certificates.status(context), missing);
  await certificates.prepare?.(context);
  const { changed, notes } = await certificates.apply(context);
  assert.deepEqual([changed.filter((one) => one.startsWith('Secret')).length, notes], [3, []]);
  const [objects = []] = applied;
  const namespaces = objects.filter(({ kind }) => kind === 'Namespace').map(({ metadata }) => metadata.name);
  assert.deepEqual(namespaces.sort(), ['argocd', 'observability']);
  const ours = secretsAmong(objects);
  assert(ours.every(({ type }) => type === 'kubernetes.io/tls'));
  assert.equal((await certificates.status(context)).state, 'ready');
  assert.deepEqual((await certificates.apply(contextFor('dev'))).changed, []);
  assert.equal(applied.length, 1);
  const old = { ...ours[0], metadata: { ...ours[0]?.metadata, name: 'of-an-old-host' } } as KubeObject;
  const others = made('Secret', 'ghcr-cred', { namespace: 'default' });
  const owns = (await certificates.owns?.(context)) ?? assert.fail();
  assert.deepEqual([...ours, old, others].map(owns), [true, true, true, true, false]);
});

test('a local host’s certificate is the authority’s, for all its hosts and a wildcard; another host’s signs itself', async () => {
  await certificates.apply(contextFor('prod'));
  const read = (name: string) => new X509Certificate(secrets.get(name)?.certificate ?? assert.fail(name));
  const [local, production] = [read('observability/localhost-tls'), read('default/api-example-com-tls')];
  assert(local.verify(authority.x509.publicKey));
  assert.equal(local.subjectAltName, 'DNS:grafana.localhost, DNS:prometheus.localhost');
  assert(production.verify(production.publicKey));
  assert.equal(production.subjectAltName, 'DNS:api.example.com');
  for (const one of [local, production]) {
    const days = (Date.parse(one.validTo) - Date.parse(one.validFrom)) / (24 * 3_600_000);
    assert(days > 390 && days <= 397, `${days}`);
  }
});

test('neither the authority’s key nor that of a certificate is in what the component says, or in what it runs', async () => {
  const context = contextFor('prod');
  const said = [JSON.stringify(await certificates.apply(context)), JSON.stringify(await certificates.status(context))];
  const commands = (context.exec as ReturnType<typeof fakeExec>).lines();
  const bodies = [issuer, ...secrets.values()].map(({ key }) => key.split('\n')[1] ?? '');
  assert.equal(bodies.length, 4);
  for (const body of bodies) assert(body.length > 40 && ![...said, ...commands].join('\n').includes(body));
  const inCluster = [...secrets.values()].map(({ certificate, key }) => certificate + key).join();
  assert(!inCluster.includes(bodies[0] ?? ''), 'the authority’s key never reaches the cluster');
  assert(!JSON.stringify(applied).includes(base64(issuer.key)), 'nor in another entry of a Secret');
});

const hosts = ['api.localhost'] as const;
const good = await signedBy(issuer, hosts, 397);
const foreign = await createLocalAuthority('platform-ops local authority 00000000', 999);
const faults: [string, { certificate: string; key: string }, readonly string[], RegExp | undefined][] = [
  ['fine', good, hosts, undefined],
  ['empty', { certificate: '', key: '' }, hosts, /holds no certificate/],
  ['with another key', { ...good, key: issuer.key }, hosts, /key that is not its certificate/],
  ['with a broken key', { ...good, key: 'x' }, hosts, /key that is not its certificate/],
  ['for other hosts', good, ['api.localhost', 'new.localhost'], /not for new\.localhost/],
  ['of another authority', await signedBy(foreign, hosts, 397), hosts, /not signed by/],
  ['signing itself', await selfSigned(hosts, 397), hosts, /not signed by/],
  ['for a month yet', await signedBy(issuer, hosts, 31), hosts, undefined],
  ['near its end', await signedBy(issuer, hosts, 29), hosts, /ends on/],
  ['signing itself for another host', await selfSigned(['api.example.com'], 397), ['api.example.com'], undefined],
];
for (const [what, pair, wanted, expected] of faults) {
  test(`a certificate that is ${what}: ${expected === undefined ? 'stays' : 'is made anew, and status says why'}`, async () => {
    const fault = certificateFault(pair, wanted, authority.x509);
    if (expected === undefined) assert.equal(fault, undefined);
    else assert.match(fault ?? '', expected);
  });
}

test('a certificate that was made by a clock which was ahead is made anew', async (context) => {
  const now = Date.now();
  const { mock } = context.mock.method(Date, 'now', () => now + 2 * 3_600_000);
  const early = await signedBy(issuer, hosts, 397);
  assert.equal(certificateFault(early, hosts, authority.x509), undefined);
  mock.restore();
  assert.match(certificateFault(early, hosts, authority.x509) ?? '', /not valid before .* GMT/);
});

test('a certificate that is of no use any more is replaced, and the others stay', async () => {
  await certificates.apply(contextFor('dev'));
  const before = secrets.get('default/localhost-tls');
  secrets.set('argocd/localhost-tls', await signedBy(issuer, ['argocd.localhost'], 10));
  assert.equal((await certificates.status(contextFor('dev'))).state, 'unready');
  await certificates.apply(contextFor('dev'));
  assert.deepEqual(
    secretsAmong(applied[1] ?? []).map(({ metadata }) => metadata.namespace),
    ['argocd'],
  );
  assert.equal(secrets.get('default/localhost-tls'), before);
});

test('a certificate that somebody put under that name is not overwritten, and it is said how to get the platform’s', async () => {
  secrets.set('argocd/localhost-tls', await signedBy(issuer, ['argocd.localhost'], 10));
  theirs = [made('Secret', 'localhost-tls', { namespace: 'argocd' })];
  const { error } = await refusal(() => certificates.apply(contextFor('dev')));
  assert.equal(error.id, 'certificate-not-ours');
  assert.match(error.hint ?? '', /kubectl delete secret localhost-tls --namespace argocd/);
  assert.deepEqual(applied, []);
});

test('you are told when the authority is a new one, since browsers do not know it', async () => {
  await certificates.apply(contextFor('dev'));
  secrets.set('argocd/localhost-tls', await signedBy(foreign, ['argocd.localhost'], 397));
  assert.equal((await certificates.apply(contextFor('dev'))).notes?.length, 1);
});

test('local hosts are those that can be no other machine', () => {
  for (const host of ['localhost', 'api.localhost', 'a.b.localhost']) assert(isLocal(host), host);
  for (const host of ['api.example.com', 'notlocalhost', 'localhost.example.com']) assert(!isLocal(host), host);
});

/** A server in the ingress' place. */
const server = createServer({ key: good.key, cert: good.certificate }, (request, response) =>
  response.end(request.headers.host),
);
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
after(() => {
  server.closeAllConnections();
  server.close();
});
const https = (server.address() as AddressInfo).port;
const present = ({ key, certificate }: { key: string; certificate: string }) =>
  server.setSecureContext({ key, cert: certificate });
const site = { host: 'api.localhost', secret: { namespace: 'default', name: 'localhost-tls' } };
const production = { host: 'api.example.com', secret: { namespace: 'default', name: 'api-example-com-tls' } };

test('a site is asked by its own name, on its port, and has to prove who it is', async () => {
  const context = contextFor('dev', { ports: { http: 1, https } });
  present(good);
  assert.deepEqual(await askIngress(context, site, '/info'), { status: 200, body: `api.localhost:${https}` });
  assert.equal(siteUrl(context, site), `https://api.localhost:${https}`);
  present(await signedBy(foreign, hosts, 397));
  assert.match(
    (await askIngress(context, site, '/info')).missing ?? '',
    /^https:\/\/api\.localhost:\d+\/info does not answer: .*verify/,
  );
});

test('a tunnel to the ingress of others is opened once, and once more where nothing comes through; one that fails is told', async () => {
  const commands = new AbortController();
  const listening = (port: number) => `echo 'Forwarding from 127.0.0.1:${port} -> 443'; exec sleep 60`;
  const kubectls = ['echo no >&2; exit 1', listening(1), listening(https)];
  const slice = {
    metadata: { namespace: 'ingress-nginx', labels: { 'kubernetes.io/service-name': 'ingress-nginx-controller' } },
    ports: [{ name: 'https', port: 443 }],
    endpoints: [{ targetRef: { kind: 'Pod', name: 'p' } }],
  };
  const { config } = contextFor('dev', { ports: { http: 1, https } });
  const context = fakeContext({
    config: { ...config, ingressController: 'nginx', childEnv: everyKind({ PATH: process.env.PATH ?? '' }) },
    target: 'theirs',
    signal: commands.signal,
    api: () => ({ json: async () => ({ items: [slice] }) }),
    kubectl: async () => ({ command: () => ['sh', '-c', kubectls.shift() ?? assert.fail('another kubectl')] }),
  });
  present(good);
  const ask = () => askIngress(context, site, '/info');
  assert.match((await ask()).missing ?? '', /does not answer: no$/);
  assert.equal(kubectls.length, 2);
  assert.deepEqual([(await ask()).status, (await ask()).status, kubectls.length], [200, 200, 0]);
  commands.abort();
});

test('production’s host is believed by the certificate in its own Secret, and by no other', async () => {
  const context = contextFor('prod', { ports: { http: 1, https } });
  const own = await selfSigned(['api.example.com'], 397);
  present(own);
  assert.match(
    (await askIngress(context, production, '/info')).missing ?? '',
    /there is no certificate for api\.example\.com yet/,
  );
  secrets.set('default/api-example-com-tls', own);
  assert.deepEqual(await askIngress(context, production, '/info'), { status: 200, body: `api.example.com:${https}` });
  present(await selfSigned(['api.example.com'], 397));
  assert.match((await askIngress(context, production, '/info')).missing ?? '', /self-signed|verify/);
});

test('addresses are https, and production’s host comes with a command that needs no name server', async () => {
  const ports = { http: 8080, https: 8443 };
  assert.deepEqual(addressLines(await addresses(contextFor('dev', { ports }))), [
    '  API         https://api.localhost:8443/info',
    '  Argo CD     https://argocd.localhost:8443',
    '  Prometheus  https://prometheus.localhost:8443',
    '  Grafana     https://grafana.localhost:8443',
  ]);
  const [api] = await addresses(contextFor('prod', { ports }));
  assert.equal(api?.url, 'https://api.example.com:8443/info');
  assert.equal(api?.command, 'curl -k --resolve api.example.com:8443:127.0.0.1 https://api.example.com:8443/info');
  const [plain] = await addresses(contextFor('dev', { ports, tls: false }));
  assert.equal(plain?.url, 'http://api.localhost:8080/info');
});
