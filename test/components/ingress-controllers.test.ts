import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { componentsFor } from '../../scripts/components/index.ts';
import {
  type Controller,
  controllerObjects,
  ingressNginx,
  removeOtherController,
  traefik,
} from '../../scripts/components/ingress.ts';
import { watchController } from '../../scripts/components/prometheus.ts';
import { removeObjects } from '../../scripts/components/removal.ts';
import { loadConfig } from '../../scripts/config/config.ts';
import { type KubeObject, nameOf } from '../../scripts/kubernetes/objects.ts';
import { fakeCluster } from '../support/fake-cluster.ts';
import { fakeContext, refusal } from '../support/fakes.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const config = { root, ports: { http: 8080, https: 8443 } };

/** A cluster that has these objects, until kubectl is told to delete them. */
function clusterWith(present: readonly KubeObject[], fault?: string) {
  const fake = fakeCluster(present, fault);
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
  return { context, deleted: fake.deleted, calls: fake.calls };
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

test('another controller is a mistake, and said so', async () => {
  const { error } = await refusal(() => loadConfig('/nowhere', { INGRESS_CONTROLLER: 'haproxy' }));
  assert.equal(error.id, 'setting-wrong');
  assert.match(error.message, /INGRESS_CONTROLLER.*nginx or traefik/);
});

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

test('where the other controller was never there, nothing is deleted', async () => {
  const { context, deleted } = clusterWith(nginx);
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
  const job = (name: string, namespace = 'ingress-nginx'): KubeObject => ({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, namespace, labels },
  });
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

test('what does not go away is told with its reason', async () => {
  const { context } = clusterWith(second, 'error: timed out waiting for the condition on namespaces/traefik');
  const { text } = await refusal(() => removeObjects(context, second));
  assert.match(text, /timed out waiting for the condition on namespaces\/traefik/);
});

test('Prometheus looks for the chosen controller', () => {
  const configMap = (text: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'c' },
    data: { 'prometheus.yml': text },
  });
  const text = 'scrape_configs:\nnames: [default]\nnames: [ingress-nginx]\n';
  const rules = 'groups:\n';
  const found = (controller: Controller) => watchController([configMap(text)], controller)[0]?.data;
  assert.deepEqual(found('nginx'), { 'prometheus.yml': text });
  assert.deepEqual(found('traefik'), {
    'prometheus.yml': 'scrape_configs:\nnames: [default]\nnames: [traefik]\n',
  });
  assert.deepEqual(watchController([configMap(rules)], 'traefik')[0]?.data, { 'prometheus.yml': rules });
  assert.throws(
    () => watchController([configMap('scrape_configs:\nnames: [other]')], 'traefik')[0]?.data,
    /has no names/,
  );
});
