// Which objects of a cluster count as applied by the manual's commands: those only may be taken over.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isTracked, trackingId } from '../../scripts/cluster/ownership.ts';
import { adoptionLines, findAdoptions, oldestOf, withoutAdopted } from '../../scripts/components/take-over.ts';
import { type KubeObject, lastAppliedAnnotation } from '../../scripts/kubernetes/objects.ts';
import { readManifests } from '../../scripts/repository/manifests.ts';
import { fakeContext } from '../support/fakes.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const metricsServer = await readManifests(root, ['cluster/metrics-server.yaml']);
const registered = await readManifests(root, ['argocd/project.yaml', 'argocd/core-go.yaml']);

/** As the cluster has an object after `kubectl apply`, with what kubectl keeps of it. */
function applied(object: KubeObject, change: (written: KubeObject) => KubeObject = (written) => written): KubeObject {
  const { namespace, ...metadata } = object.metadata;
  const written = change({ ...object, metadata: { annotations: {}, ...metadata, ...(namespace && { namespace }) } });
  const annotations = {
    ...metadata.annotations,
    [lastAppliedAnnotation]: JSON.stringify(written),
  };
  const creationTimestamp = '2026-01-01T00:00:05Z';
  const managedFields = [{ manager: 'kubectl-client-side-apply', operation: 'Update' }];
  return {
    ...object,
    spec: undefined,
    metadata: { ...object.metadata, annotations, creationTimestamp, managedFields },
  };
}

function clusterWith(present: readonly KubeObject[]) {
  return fakeContext({
    target: 'x',
    config: { root },
    api: () => ({
      listMetadata: async (apiVersion: string, kind: string) =>
        present.filter((one) => one.kind === kind && one.apiVersion === apiVersion),
    }),
  });
}

const named = (adoptions: Awaited<ReturnType<typeof findAdoptions>>) =>
  adoptions.map(({ source, present }) => `${source} ${present.length}`);

test('what kubectl applied as it is written here is taken over, and listed', async () => {
  const adoptions = await findAdoptions(clusterWith(metricsServer.map((object) => applied(object))));
  assert.deepEqual(named(adoptions), [`cluster/metrics-server.yaml ${metricsServer.length}`]);
  assert.equal(oldestOf(adoptions), '2026-01-01T00:00:05Z');
  const [title, line] = adoptionLines(adoptions);
  assert.match(title ?? '', new RegExp(`, ${metricsServer.length} objects, which is the platform's`));
  assert.match(line ?? '', /cluster\/metrics-server\.yaml .*Deployment kube-system\/metrics-server/);
});

test('what is written otherwise, or was not applied by kubectl, is somebody else’s', async () => {
  const other = metricsServer.map((object) =>
    object.kind === 'Deployment' ? applied(object, (one) => ({ ...one, spec: {} })) : applied(object),
  );
  const adopted = await findAdoptions(clusterWith(other));
  assert.deepEqual(named(adopted), [`cluster/metrics-server.yaml ${metricsServer.length - 1}`]);
  for (const text of ['', 'kubectl says', 'null', '[]', '{}']) {
    const edited = metricsServer.map((object) => {
      const one = applied(object);
      return { ...one, metadata: { ...one.metadata, annotations: { [lastAppliedAnnotation]: text } } };
    });
    assert.deepEqual(named(await findAdoptions(clusterWith(edited))), [], text);
  }
  assert.deepEqual(
    withoutAdopted(other, adopted).map(({ kind }) => kind),
    ['Deployment'],
  );
  assert.deepEqual(await findAdoptions(clusterWith(metricsServer)), []);
  assert.deepEqual(adoptionLines([]), []);
});

test('what the platform applied since is not taken over again', async () => {
  const managedFields = [{ manager: 'platform-ops', operation: 'Apply' }];
  const own = metricsServer.map((object) => applied(object));
  for (const { metadata } of own) metadata.managedFields = managedFields;
  assert.deepEqual(await findAdoptions(clusterWith(own)), []);
});

test('an Argo CD that looks after another Application as well stays somebody’s', async () => {
  const inArgocd = registered.map((object) => applied(object));
  const theirs = { ...registered[1], metadata: { name: 'theirs', namespace: 'argocd' } } as KubeObject;
  const crd = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: 'applications.argoproj.io',
      managedFields: [{ manager: 'kubectl', operation: 'Apply' }],
    },
  };
  const adoptions = await findAdoptions(clusterWith([...inArgocd, theirs, crd]));
  assert.deepEqual(named(adoptions), [`argocd/ ${inArgocd.length}`]);
  assert.deepEqual(withoutAdopted([crd, theirs], adoptions), [crd, theirs]);
});

test('what an Application deployed that is taken over comes along, and its copy does not', async () => {
  const adoptions = await findAdoptions(
    clusterWith([
      ...registered.map((object) => applied(object)),
      applied({ ...registered[1], metadata: { name: 'other', namespace: 'argocd' } } as KubeObject),
    ]),
  );
  const service: KubeObject = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'core-go', namespace: 'default' },
  };
  const deployed = { ...service, metadata: { ...service.metadata, annotations: trackingId(service, 'core-go') } };
  assert(isTracked(deployed, new Set(['core-go'])));
  const copy = { ...deployed, metadata: { ...deployed.metadata, name: 'copy' } };
  assert.deepEqual(withoutAdopted([deployed, copy, service], adoptions), [copy, service]);
});
