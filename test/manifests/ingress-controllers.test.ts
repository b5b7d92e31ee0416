// The two ingress controllers: that their ports, their names and their settings hold together.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { controllerObjects } from '../../scripts/components/ingress.ts';
import type { KubeObject } from '../../scripts/kubernetes/objects.ts';
import { fakeContext } from '../support/fakes.ts';
import { at, root } from '../support/helm.ts';

const ports = { http: 28080, https: 28443 };
const config = { root, ports };
const objectsOf = (controller: 'nginx' | 'traefik') => controllerObjects(controller)(fakeContext({ config }));
const nginx = await objectsOf('nginx');
const traefik = await objectsOf('traefik');

const find = (objects: readonly KubeObject[], kind: string, name?: string) =>
  objects.find((one) => one.kind === kind && (name === undefined || one.metadata.name === name)) ??
  assert.fail(`no ${kind} ${name ?? ''}`);
const container = (objects: readonly KubeObject[], kind = 'Deployment') =>
  at(find(objects, kind), 'spec', 'template', 'spec', 'containers', 0) as {
    image: string;
    args: string[];
    ports: { name: string; containerPort: number; hostPort?: number }[];
  };
const settings = find(nginx, 'ConfigMap').data as Record<string, string>;

test('every manifest of a controller is applied', () => {
  for (const [name, objects] of [
    ['ingress-nginx', nginx],
    ['traefik', traefik],
  ] as const) {
    const documents = readFileSync(join(root, 'ingress', `${name}.yaml`), 'utf8').split(/^---$/m);
    assert.equal(objects.length, documents.length);
  }
});

for (const [name, objects, option] of [
  ['ingress-nginx', nginx, { http: '--http-port=', https: '--https-port=' }],
  ['traefik', traefik, { http: '--entryPoints.web.address=:', https: '--entryPoints.websecure.address=:' }],
] as const) {
  test(`${name} listens on the ports of the settings, which the node knows as 80 and 443`, () => {
    const { args, ports: listed } = container(objects);
    for (const [port, hostPort] of [
      ['http', 80],
      ['https', 443],
    ] as const) {
      assert(args.includes(option[port] + ports[port]), args.join(' '));
      assert.deepEqual(
        listed.find((one) => one.name === port),
        { name: port, containerPort: ports[port], hostPort },
      );
    }
  });

  test(`${name} writes localhost as the address of an Ingress, and looks after the class that is there`, () => {
    const { args } = container(objects);
    assert(args.some((arg) => /publish-?status-?address=localhost$/i.test(arg)));
    const controller = at(find(objects, 'IngressClass'), 'spec', 'controller');
    assert(
      args.some((arg) =>
        arg.toLowerCase().replace('controller-class', 'controllerclass').endsWith(`controllerclass=${controller}`),
      ),
    );
  });

  test(`${name} is found by Prometheus: a label, a port and the right to look`, () => {
    const namespace = find(objects, 'Namespace').metadata.name;
    assert.equal(namespace, name);
    const labels = at(find(objects, 'Deployment'), 'spec', 'template', 'metadata', 'labels');
    assert.equal(at(labels, 'app.kubernetes.io/component'), 'controller');
    assert.equal(at(labels, 'app.kubernetes.io/name'), name);
    assert(container(objects).ports.some((port) => port.name === 'metrics'));
    assert.equal(find(objects, 'Role', 'prometheus-discovery').metadata.namespace, namespace);
    const binding = find(objects, 'RoleBinding', 'prometheus-discovery');
    assert.deepEqual(at(binding, 'subjects', 0), {
      kind: 'ServiceAccount',
      name: 'prometheus',
      namespace: 'observability',
    });
  });
}

test('each port of a controller is there once', () => {
  for (const objects of [nginx, traefik]) {
    const { args, ports: listed } = container(objects);
    const numbers = args.flatMap((arg) => arg.match(/(?:port|address|webhook)=\S*?(\d+)$/i)?.[1] ?? []).map(Number);
    assert.equal(new Set(numbers).size, numbers.length, numbers.join());
    for (const { name, containerPort } of listed) assert(numbers.includes(containerPort), name);
  }
});

test('the Job that makes the certificate carries the version of its image, so that a new one is a new Job', () => {
  const [, version = ''] = container(nginx, 'Job').image.split(':v');
  assert.equal(find(nginx, 'Job').metadata.name, `ingress-nginx-admission-${version.replaceAll('.', '-')}`);
  assert.equal(at(find(nginx, 'Job'), 'spec', 'ttlSecondsAfterFinished'), undefined, 'it would be recreated each time');
});

test('ingress-nginx runs no code that an Ingress brings, and speaks TLS 1.2 and 1.3 with fresh keys only', () => {
  assert.equal(settings['allow-snippet-annotations'], 'false');
  assert.equal(settings['ssl-protocols'], 'TLSv1.2 TLSv1.3');
  const ciphers = settings['ssl-ciphers']?.split(':') ?? [];
  assert.equal(ciphers.length, 6);
  for (const cipher of ciphers)
    assert.match(cipher, /^ECDHE-(ECDSA|RSA)-(AES(128|256)-GCM-SHA(256|384)|CHACHA20-POLY1305)$/);
  assert.equal(settings['server-tokens'], 'false');
  assert.equal(settings.hsts, 'false');
});

test('ingress-nginx never syncs twice in a second: it would keep the first list of endpoints for ever', () => {
  const { args } = container(nginx);
  const often = args.find((arg) => /^--sync-rate-limit=/.test(arg))?.split('=')[1] ?? '0.3';
  // A reload takes a part of the distance between two syncs.
  assert(1 / Number(often) > 3, often);
});

test('Traefik keeps to the same policy for TLS', () => {
  const [text = ''] = Object.values(find(traefik, 'ConfigMap').data as Record<string, string>);
  const options = at(parse(text), 'tls', 'options', 'default') as { minVersion: string; cipherSuites: string[] };
  assert.equal(options.minVersion, 'VersionTLS12');
  // OpenSSL's names and Go's: ECDHE-RSA-AES128-GCM-SHA256 is TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256.
  const openssl = options.cipherSuites.map((name) =>
    name
      .replace(/^TLS_|_SHA256$(?<=POLY1305_SHA256)|WITH_/g, '')
      .replace(/AES_(\d+)/, 'AES$1')
      .replaceAll('_', '-'),
  );
  assert.deepEqual(openssl, settings['ssl-ciphers']?.split(':'));
});

test('redirects name the port, and exceeding a limit is 429', () => {
  assert.equal(settings['use-port-in-redirects'], 'true');
  assert.equal(settings['http-redirect-code'], '308');
  assert.equal(settings['limit-req-status-code'], '429');
  assert.equal(settings['limit-conn-status-code'], '429');
  assert(container(traefik).args.includes('--entryPoints.web.http.redirections.entryPoint.to=websecure'));
});

test('a line of the access log is JSON, and tells no query', () => {
  const format = settings['log-format-upstream'] ?? '';
  const line = JSON.parse(format.replaceAll(/\$\w+/g, 'x')) as Record<string, string>;
  assert(line.requestId && line.status && line.path);
  assert.doesNotMatch(format, /\$(request_uri|args|query_string|request)\b/);
});
