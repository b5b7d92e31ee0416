import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitForTermination } from '../../scripts/components/removal.ts';
import { Unreachable } from '../../scripts/kubernetes/api/api.ts';
import type { KubeObject } from '../../scripts/kubernetes/objects.ts';
import { fakeContext, fakeExec, refusal } from '../support/fakes.ts';

const of = (kind: string, name: string, namespace?: string): KubeObject => ({
  apiVersion: kind === 'Namespace' ? 'v1' : kind === 'Deployment' ? 'apps/v1' : 'argoproj.io/v1alpha1',
  kind,
  metadata: { name, ...(namespace !== undefined && { namespace }) },
});
const leaving = (object: KubeObject): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, deletionTimestamp: 'now', finalizers: ['resources-finalizer.argocd.argoproj.io'] },
});
const controller = {
  metadata: { name: 'argocd-application-controller-0' },
  status: { conditions: [{ type: 'Ready', status: 'True' }] },
};

/** A cluster in which these are on their way out for some looks. */
function clusterWith(objects: KubeObject[], { looks, argocd = true }: { looks: number; argocd?: boolean }) {
  let count = 0;
  const exec = fakeExec(() => ({}));
  const status = { conditions: [{ type: 'X', status: 'True', message: 'example.com/hold in 1 resource instances' }] };
  const listMetadata = async (_: string, kind: string) => {
    count += 1;
    return count > looks ? [] : objects.filter((object) => object.kind === kind).map(leaving);
  };
  const context = fakeContext({
    timeout: 50,
    signal: new AbortController().signal,
    kubectl: async () => ({ run: (args: readonly string[]) => exec(['kubectl', ...args]) }),
    api: () => ({
      listMetadata,
      list: async (_: string, kind: string) => {
        if (kind === 'Namespace') return objects.map((object) => ({ ...leaving(object), status }));
        return argocd ? [controller] : [];
      },
    }),
    view: () => ({ listHeads: listMetadata }),
  });
  return { exec, context, looks: () => count };
}

for (const object of [of('Namespace', 'a'), of('Application', 'a', 'argocd'), of('Deployment', 'a', 'b')]) {
  test(`a ${object.kind} on its way out is waited for, and told where it stays`, async () => {
    const passing = clusterWith([object], { looks: 1 });
    await waitForTermination(Object.assign(passing.context, { timeout: 5000 }), [object]);
    assert(passing.looks() > 1);
    const stuck = clusterWith([object], { looks: 1000 });
    const { error, text } = await refusal(() => waitForTermination(stuck.context, [object]));
    assert.equal(error.id, 'finalizers');
    assert.match(text, new RegExp(`^${object.kind} .*a .*0\\.05 s`));
    assert.match(text, object.kind === 'Namespace' ? /: example\.com\/hold in 1/ : /held by the finalizer resources-f/);
    assert.match(text, /remove the finalizer with kubectl edit.*npm run down && npm run up$/);
  });
}

test('where nobody answers, that is what is told', async () => {
  const silent = new Unreachable('the API server at https://x does not answer: no answer within 10 s');
  const context = fakeContext({
    timeout: 20,
    node: 'x-control-plane',
    exec: fakeExec(() => ({})),
    signal: new AbortController().signal,
    view: () => ({ listHeads: () => Promise.reject(silent) }),
  });
  const { error } = await refusal(() => waitForTermination(context, [of('Namespace', 'a')]));
  assert.equal(error.id, 'api-server-silent');
  assert.match(error.hint ?? '', /docker logs x-control-plane/);
});

test('what is not wanted again is not waited for', async () => {
  const { context } = clusterWith([of('Application', 'other', 'argocd'), of('Deployment', 'a', 'elsewhere')], {
    looks: 1000,
  });
  await waitForTermination(context, [of('Application', 'a', 'argocd'), of('Deployment', 'a', 'b')]);
});

test('where Argo CD is gone, what it holds back is let go; a Deployment is none of that', async () => {
  const application = of('Application', 'a', 'argocd');
  const gone = clusterWith([application], { looks: 3, argocd: false });
  await waitForTermination(Object.assign(gone.context, { timeout: 5000 }), [application]);
  assert.match(
    gone.exec.lines()[0] ?? '',
    /^kubectl patch applications\.argoproj\.io a --namespace argocd .*"finalizers":null/,
  );
  const other = clusterWith([of('Deployment', 'a', 'b')], { looks: 1, argocd: false });
  await waitForTermination(Object.assign(other.context, { timeout: 5000 }), [of('Deployment', 'a', 'b')]);
  assert.deepEqual(other.exec.lines(), []);
});
