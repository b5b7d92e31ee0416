import { localRepoUrl } from '../../scripts/components/git-source.ts';
import type { ClusterFacts } from '../../scripts/delivery/diff/targets.ts';
import { ApiError, type ApiServer } from '../../scripts/kubernetes/api/api.ts';
import type { ServedResource } from '../../scripts/kubernetes/api/discovery.ts';
import type { KubeObject } from '../../scripts/kubernetes/objects.ts';
import type { ServiceApplication } from '../../scripts/repository/applications.ts';

const verbs = ['list', 'watch', 'delete'];
const served = (apiVersion: string, kind: string, resource: string, namespaced = true): ServedResource => ({
  apiVersion,
  kind,
  resource,
  namespaced,
  verbs,
});

/** A cluster that serves a few kinds. */
export const facts: ClusterFacts = {
  kubeVersion: '1.36.4',
  kinds: [
    served('v1', 'ConfigMap', 'configmaps'),
    served('v1', 'Secret', 'secrets'),
    served('v1', 'Namespace', 'namespaces', false),
    { ...served('v1', 'Binding', 'bindings'), verbs: ['create'] },
    served('apps/v1', 'Deployment', 'deployments'),
    served('policy/v1', 'PodDisruptionBudget', 'poddisruptionbudgets'),
  ],
};

/** An Application of a chart with two values files, and of the project `platform`. */
export function application(name = 'web', spec: object = {}): ServiceApplication {
  const source = {
    repoURL: localRepoUrl,
    targetRevision: 'HEAD',
    path: `helm/${name}`,
    helm: { releaseName: name, valueFiles: ['values.yaml', 'values-dev.yaml'] },
  };
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: { name, namespace: 'argocd' },
    spec: {
      project: 'platform',
      source,
      destination: { namespace: 'default' },
      syncPolicy: { automated: { prune: true } },
      ...spec,
    },
  };
}

/** An object in the namespace default. */
export function object(
  kind: string,
  name: string,
  fields: object = {},
  annotations = {},
  apiVersion = 'v1',
): KubeObject {
  return { apiVersion, kind, metadata: { name, namespace: 'default', annotations }, ...fields };
}

export type Dry = Pick<ApiServer, 'json' | 'dryRunApply' | 'listMetadata'>;

/**
 * An API server that has these objects by path, and says of each apply what `predict` makes of it: by default the live
 * object with the fields that were applied. It keeps nothing of that.
 */
export function fakeApi(
  live: Record<string, KubeObject>,
  predict = (object: KubeObject, known?: KubeObject): KubeObject | Error => ({ ...known, ...object }),
) {
  const applied: { path: string; manager: string; object: KubeObject }[] = [];
  const api: Dry = {
    json: async <T>(path: string) => {
      const found = live[path];
      if (!found) throw new ApiError(path, 404, '{"message":"not found"}');
      return structuredClone(found) as unknown as T;
    },
    dryRunApply: async <T extends KubeObject>(path: string, yaml: string, manager: string) => {
      const object = JSON.parse(yaml) as KubeObject;
      applied.push({ path, manager, object });
      const predicted = predict(object, live[path]);
      if (predicted instanceof Error) throw predicted;
      return predicted as T;
    },
    listMetadata: async (apiVersion, kind) =>
      Object.values(live).filter((one) => one.apiVersion === apiVersion && one.kind === kind),
  };
  return { api: api as ApiServer, applied };
}
