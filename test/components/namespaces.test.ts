import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ensureNamespaces, isServiceNamespace, serviceNamespaces } from '../../scripts/components/namespaces.ts';
import { watchServices } from '../../scripts/components/prometheus.ts';
import { applyPullSecret, missingPullAccess } from '../../scripts/components/pull-secret.ts';
import { serviceImages } from '../../scripts/components/service-images.ts';
import type { Account } from '../../scripts/images/credentials/credentials.ts';
import { ApiError } from '../../scripts/kubernetes/api/api.ts';
import type { KubeObject } from '../../scripts/kubernetes/objects.ts';
import { Secret } from '../../scripts/lib/secret.ts';
import { fakeCluster, made } from '../support/fake-cluster.ts';
import { fakeContext, refusal, temporaryFolder } from '../support/fakes.ts';
import { write } from '../support/repository.ts';

/** A checkout with one service that names that namespace, and a cluster that has these. */
async function scene(
  namespace: string | undefined,
  present: string[],
  more: { options?: string[]; object?: object } = {},
) {
  const root = await temporaryFolder();
  const application = {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: { name: 'core-go' },
    spec: {
      source: { path: 'helm/core-go', helm: { valueFiles: ['values.yaml'] } },
      ...(namespace !== undefined && { destination: { namespace } }),
      syncPolicy: { syncOptions: more.options ?? [] },
    },
  };
  write(root, 'argocd/core-go.yaml', JSON.stringify(application));
  if (more.object) write(root, 'argocd/namespace.yaml', JSON.stringify(more.object));
  const applied: KubeObject[] = [];
  const heads = present.map((name) => made('Namespace', name));
  const context = fakeContext({
    config: { root },
    signal: new AbortController().signal,
    timeout: 1000,
    api: () => ({ listMetadata: async () => heads }),
    view: () => ({ listHeads: async () => heads, forget: () => {} }),
    kubectl: async () => ({ apply: async (objects: KubeObject[]) => applied.push(...objects) }),
  });
  return { context, applied };
}

test('an Application that names no namespace deploys into the default one, for which nothing is asked or made', async () => {
  for (const namespace of [undefined, '', 'default']) {
    const { context, applied } = await scene(namespace, []);
    assert.deepEqual(await serviceNamespaces(context), ['default']);
    assert.deepEqual([await ensureNamespaces(context), applied], [[], []]);
  }
});

test('a missing namespace is made where CreateNamespace=true says so, and known again as made', async () => {
  const { context, applied } = await scene('internal', ['default'], { options: ['CreateNamespace=true'] });
  await ensureNamespaces(context);
  assert.deepEqual(
    applied.map(({ kind, metadata }) => [kind, metadata.name]),
    [['Namespace', 'internal']],
  );
  const [object = assert.fail()] = applied;
  const managedFields = [{ manager: 'platform-ops', operation: 'Apply' }];
  assert(isServiceNamespace({ ...object, metadata: { ...object.metadata, managedFields } } as KubeObject));
  assert(!isServiceNamespace(object), 'that somebody else made');
});

test('a Namespace of argocd/ is applied as it is written, and one that exists stays as it is', async () => {
  const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'internal', labels: { team: 'a' } } };
  const { context, applied } = await scene('internal', [], { object });
  await ensureNamespaces(context);
  assert.deepEqual(applied, [object]);
  const there = await scene('internal', ['internal'], { options: ['CreateNamespace=true'] });
  assert.deepEqual([await ensureNamespaces(there.context), there.applied], [[], []]);
});

test('a namespace that nobody is to make is told before anything waits for it', async () => {
  const { context } = await scene('internal', []);
  const { error, text } = await refusal(() => ensureNamespaces(context));
  assert.equal(error.id, 'namespace-missing');
  assert.match(text, /core-go.*internal[\s\S]*CreateNamespace=true/);
});

test('the pull secret goes into the namespace of the service, and is missed there', async () => {
  const { context, applied } = await scene('internal', ['internal']);
  const json = async (path: string) => {
    if (!path.includes('/namespaces/internal/')) assert.fail(path);
    throw new ApiError(path, 404, '');
  };
  const api = () => ({ ...context.api(), listMetadata: async () => [], json });
  const account = { username: 'ann', token: new Secret('ghp_one') } as Account;
  const asked = fakeContext({ ...context, api });
  assert.match((await missingPullAccess(asked, account)) ?? '', /Secret internal\/ghcr-cred is missing/);
  await applyPullSecret(asked, account);
  assert.deepEqual(
    applied.map(({ kind, metadata }) => [kind, metadata.namespace]),
    [
      ['Secret', 'internal'],
      ['ServiceAccount', 'internal'],
    ],
  );
});

test('Prometheus looks for services in their namespaces, and may', () => {
  const config = (names: string) => ({
    ...made('ConfigMap', 'prometheus-config', { namespace: 'observability' }),
    data: {
      'prometheus.yml': `scrape_configs:\n- job_name: services\n  x:\n    names: [${names}]\n- job_name: apiserver\n    names: [default]\n`,
    },
  });
  const role = made('Role', 'prometheus-discovery', { namespace: 'observability' });
  const binding = {
    ...made('RoleBinding', 'prometheus-discovery', { namespace: 'observability' }),
    roleRef: { kind: 'Role', name: 'prometheus-discovery' },
  };
  const own = [config('default'), role, binding];
  assert.deepEqual(watchServices(own, ['default']), own);
  const [changed, , , ...added] = watchServices(own, ['default', 'internal']);
  assert.deepEqual((changed as (typeof own)[0] & { data: object }).data, config('default, internal').data);
  assert.deepEqual(
    added.map(({ kind, metadata, roleRef }) => [kind, metadata.namespace, metadata.name, roleRef]),
    [
      ['Role', 'internal', 'prometheus-services', undefined],
      ['RoleBinding', 'internal', 'prometheus-services', { kind: 'Role', name: 'prometheus-services' }],
    ],
  );
});

test('a pull secret is removed also where no service is any more', async () => {
  const { context } = await scene(undefined, []);
  const former = made('Secret', 'ghcr-cred', { namespace: 'former' });
  const other = made('Secret', 'other', { namespace: 'former' });
  const fake = fakeCluster([former, other]);
  const api = () => ({ ...fake.api(), json: async () => Promise.reject(new ApiError('/', 404, '')) });
  const view = () => ({ list: fake.api().list, forget: () => {}, podsOf: async () => [] });
  const { config, signal, timeout } = context;
  await serviceImages.remove?.(fakeContext({ ...fake, api, view, config, signal, timeout }), [former]);
  assert.deepEqual(fake.objects, [other]);
});
