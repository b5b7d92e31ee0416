import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { componentsFor } from '../../scripts/components/index.ts';
import {
  type Controller,
  controllerObjects,
  ingressNginx,
  listenOn,
  removeOtherController,
  traefik,
} from '../../scripts/components/ingress.ts';
import { watchController } from '../../scripts/components/prometheus.ts';
import { loadConfig } from '../../scripts/config/config.ts';
import { type KubeObject, nameOf } from '../../scripts/kubernetes/objects.ts';
import { fakeCluster, made } from '../support/fake-cluster.ts';
import { fakeContext } from '../support/fakes.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const config = { root, ports: { http: 8080, https: 8443 } };

/** A cluster that has these objects, until kubectl is told to delete them. */
function clusterWith(present: readonly KubeObject[]) {
  const fake = fakeCluster(present);
  const context = fakeContext({
    config,
    timeout: 3000,
    signal: new AbortController().signal,
    images: { ensure: async () => [] },
    api: () => ({ ...fake.api(), dryRunMetadata: async (_: string, yaml: string) => JSON.parse(yaml) as KubeObject }),
    view: () => ({
      list: fake.api().list,
      listHeads: fake.api().listMetadata,
      forget: () => {},
      missing: async () => undefined,
      podsOf: async () => [],
    }),
    kubectl: fake.kubectl,
  });
  return { context, deleted: fake.deleted };
}

const named = (objects: readonly KubeObject[], kind: string) =>
  objects.find((object) => object.kind === kind) ?? assert.fail(kind);
const writtenBy = (manager: string, operation: string, objects: readonly KubeObject[]) =>
  objects.map((object) => ({ ...object, metadata: { ...object.metadata, managedFields: [{ manager, operation }] } }));
const applied = (objects: readonly KubeObject[]) => writtenBy('platform-ops', 'Apply', objects);
const objectsOf = (controller: Controller) => controllerObjects(controller)(fakeContext({ config }));
const nginx = await objectsOf('nginx');
const second = await objectsOf('traefik');

for (const [setting, name, other] of [
  [undefined, 'ingress-nginx', 'traefik'],
  ['nginx', 'ingress-nginx', 'traefik'],
  ['traefik', 'traefik', 'ingress-nginx'],
] as const) {
  test(`INGRESS_CONTROLLER=${setting ?? ''} installs ${name} and not ${other}, and who needs an ingress needs that one`, () => {
    const components = componentsFor(loadConfig('/nowhere', { INGRESS_CONTROLLER: setting }));
    const names = components.map((component) => component.name);
    assert(names.includes(name) && !names.includes(other));
    for (const needing of ['routes', 'applications']) {
      assert(components.find((component) => component.name === needing)?.needs.includes(name), needing);
    }
  });
}

test('the chosen controller takes all of the other one away but the class that both have, webhooks first', async () => {
  const { context, deleted } = clusterWith(applied(nginx));
  const removed = await removeOtherController(context, 'traefik');
  assert.equal(deleted[0], 'ValidatingWebhookConfiguration ingress-nginx-admission');
  assert.deepEqual(
    nginx.map((object) => nameOf(object)).filter((name) => !deleted.includes(name)),
    ['IngressClass nginx'],
  );
  assert.deepEqual(removed.toSorted(), deleted.map((name) => `${name} (removed)`).toSorted());
});

test('a controller that somebody else installed under the same names stays, with its namespace', async () => {
  const { context, deleted } = clusterWith(writtenBy('helm', 'Update', second));
  assert.deepEqual(await removeOtherController(context, 'nginx'), []);
  assert.deepEqual(deleted, []);
});

for (const [component, objects] of [
  [ingressNginx, nginx],
  [traefik, second],
] as const) {
  test(`reset knows all that ${component.name} installs`, async () => {
    const owns = (await component.owns?.(clusterWith(objects).context)) ?? assert.fail();
    assert.deepEqual(
      objects.filter((object) => !owns(object)),
      [],
    );
  });
}

test('the Job that another version made the certificate with is cleared away, and one of somebody else is not', async () => {
  const labels = { 'app.kubernetes.io/component': 'admission-webhook' };
  const job = (name: string, namespace = 'ingress-nginx') => made('Job', name, { namespace, labels }, 'batch/v1');
  const patched = {
    ...named(nginx, 'ValidatingWebhookConfiguration'),
    webhooks: [{ clientConfig: { caBundle: 'x' } }],
  };
  const { context, deleted } = clusterWith([
    ...applied([named(nginx, 'Job'), job('of-before')]),
    job('other', 'default'),
    patched,
  ]);
  await ingressNginx.apply(context);
  assert.deepEqual(deleted, ['Job ingress-nginx/of-before']);
});

test('Prometheus looks for the chosen controller', () => {
  const found = (controller: Controller, text: string, name = 'prometheus-config') =>
    watchController([{ ...made('ConfigMap', name), data: { 'prometheus.yml': text } }], controller)[0]?.data;
  const text = 'scrape_configs:\nnames: [default]\nnames: [ingress-nginx]\n';
  assert.deepEqual(found('nginx', text), { 'prometheus.yml': text });
  assert.deepEqual(found('traefik', text), { 'prometheus.yml': text.replace('ingress-nginx', 'traefik') });
  assert.deepEqual(found('traefik', text, 'prometheus-rules'), { 'prometheus.yml': text });
  assert.throws(() => found('traefik', 'no YAML: ['), /has no names/);
  assert.throws(() => found('traefik', 'scrape_configs:\nnames: [other]'), /has no names/);
});

const spec = {
  template: {
    spec: {
      containers: [
        {
          args: [
            '--http-port=8080',
            '--https-port=8443',
            '--healthz-port=10254',
            '--validating-webhook=:9443',
            '--burst=80',
          ],
          ports: [
            { name: 'http', containerPort: 8080, hostPort: 80 },
            { name: 'https', containerPort: 8443, hostPort: 443 },
            { name: 'metrics', containerPort: 10254 },
            { name: 'webhook', containerPort: 9443 },
          ] as { name: string; containerPort: number; hostPort?: number }[],
        },
      ],
    },
  },
};
const controller = { ...made('Deployment', 'controller', {}, 'apps/v1'), spec };

/** The ports of the arguments and of the list, in the order above. */
function portsFor(http: number, https: number) {
  const [object] = listenOn([controller], { http, https });
  const { template } = (object ?? assert.fail()).spec as typeof spec;
  const { args, ports } = template.spec.containers[0] ?? assert.fail();
  assert.deepEqual(
    ports.map(({ hostPort }) => hostPort),
    [80, 443, undefined, undefined],
    'the ports of the node stay',
  );
  const inArgs = args.map((arg) => Number(arg.match(/\d+$/)?.[0]));
  const listed = ports.map(({ containerPort }) => containerPort);
  assert.deepEqual(inArgs, [...listed, 80], 'and --burst=80, which is no port');
  return listed;
}

const cases: [string, http: number, https: number, expected: number[]][] = [
  ['the default', 8080, 8443, [8080, 8443, 10254, 9443]],
  ['others', 28080, 28443, [28080, 28443, 10254, 9443]],
  ['those of the Internet', 80, 443, [80, 443, 10254, 9443]],
  ['swapped', 8443, 8080, [8443, 8080, 10254, 9443]],
  ['HTTPS on the port of the metrics', 8080, 10254, [8080, 10254, 8443, 9443]],
  ['both on ports of its own', 9443, 10254, [9443, 10254, 8080, 8443]],
  ['HTTPS on the port of HTTP, HTTP on the webhook’s', 9443, 8080, [9443, 8080, 10254, 8443]],
];
for (const [what, http, https, expected] of cases) {
  test(`the controller listens on the ports that you use: ${what}`, () =>
    assert.deepEqual(portsFor(http, https), expected));
}

test('the manifest itself stays as it is, as does what is no Deployment; without a port for HTTPS it is a mistake', () => {
  const before = structuredClone(controller);
  const other = made('Service', 's');
  assert.equal(listenOn([controller, other], { http: 1, https: 2 })[1], other);
  assert.deepEqual(controller, before);
  const bare = structuredClone(controller);
  (bare.spec as typeof spec).template.spec.containers[0]?.ports.splice(1, 1);
  assert.throws(() => listenOn([bare], { http: 1, https: 2 }), /no port https/);
});
