import type { ApplicationState } from '../../scripts/delivery/sync/rollout.ts';
import type { Context } from '../../scripts/images/context.ts';
import { pullSecretName } from '../../scripts/images/credentials/credentials.ts';
import { fieldManager } from '../../scripts/kubernetes/kubectl.ts';
import type { KubeObject } from '../../scripts/kubernetes/objects.ts';
import type { Pod, Workload } from '../../scripts/kubernetes/types.ts';
import { type Checkout, readCheckout } from '../../scripts/lib/git/checkout.ts';
import type { ServiceApplication } from '../../scripts/repository/applications.ts';
import { made } from './fake-cluster.ts';
import { fakeContext } from './fakes.ts';
import { gitExec } from './repository.ts';

/** Two commits, and the times of the sync that brought the second. */
export const commits = { old: 'a'.repeat(40), new: 'b'.repeat(40) };
export const began = '2026-01-02T03:04:05Z';
export const image = (tag: string) => `ghcr.io/zainasr/api-node:${tag}`;

const spec = (tag: string) => ({ containers: [{ name: 'api-node', image: image(tag) }] });
const labels = { 'app.kubernetes.io/name': 'api-node' };

/** A ReplicaSet of the Deployment api-node, as its `number`th template. */
export function replicaSet(number: number, tag: string): Workload {
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `api-node-${tag}`,
      namespace: 'default',
      labels: { ...labels, 'pod-template-hash': tag },
      annotations: { 'deployment.kubernetes.io/revision': String(number) },
      ownerReferences: [{ kind: 'Deployment', name: 'api-node', uid: 'uid-deployment' }],
    },
    spec: { selector: {}, template: { spec: spec(tag) } },
  };
}

/** A pod of the template with that tag. */
export function pod(name: string, tag: string, parts: { ready?: boolean; made?: string; status?: object } = {}): Pod {
  const { ready = false, made = began, status = {} } = parts;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid: `uid-${name}`,
      labels: { ...labels, 'pod-template-hash': tag },
      creationTimestamp: made,
    },
    spec: spec(tag),
    status: {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
      ...status,
    } as Pod['status'],
  };
}

/** The Deployment api-node with one wanted pod, of which so many are there. */
export function deployment(updated: number, available: number, parts: Partial<Workload['status']> = {}): Workload {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'api-node', namespace: 'default', uid: 'uid-deployment', generation: 2 },
    spec: { replicas: 1, selector: { matchLabels: labels }, template: { spec: spec('new') } },
    status: {
      observedGeneration: 2,
      replicas: Math.max(updated, available),
      updatedReplicas: updated,
      availableReplicas: available,
      ...parts,
    },
  };
}

const source = {
  repoURL: 'git://git-server.git-server.svc.cluster.local/platform-ops.git',
  targetRevision: 'HEAD',
  path: 'helm/api-node',
  helm: { releaseName: 'api-node', valueFiles: ['values.yaml', 'values-dev.yaml'] },
};

/** The Application api-node, Synced and Healthy at the second commit, which changed its Deployment. */
export function application(
  status: Partial<NonNullable<ServiceApplication['status']>> = {},
  operation?: ServiceApplication['operation'],
): ServiceApplication {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: { name: 'api-node', namespace: 'argocd' },
    spec: { source: structuredClone(source) },
    ...(operation && { operation }),
    status: {
      sync: { status: 'Synced', revision: commits.new, comparedTo: { source } },
      health: { status: 'Healthy' },
      operationState: {
        phase: 'Succeeded',
        message: 'successfully synced (all tasks run)',
        startedAt: began,
        operation: { sync: { revision: commits.new } },
        syncResult: {
          revision: commits.new,
          resources: [
            { kind: 'ConfigMap', name: 'api-node', namespace: 'default', status: 'Synced', message: 'configured' },
            { kind: 'Deployment', name: 'api-node', namespace: 'default', status: 'Synced', message: 'configured' },
          ],
        },
      },
      history: [{ revision: commits.old }, { revision: commits.new }],
      ...status,
    },
  };
}

/** The moment in which the new pod is ready and the old one is on its way out. */
export function rolledOut(parts: Partial<ApplicationState> = {}): ApplicationState {
  const leaving = pod('old', 'old', { ready: true, made: '2026-01-01T00:00:00Z' });
  leaving.metadata.deletionTimestamp = began;
  return {
    application: application(),
    deployment: deployment(1, 1),
    replicaSets: [replicaSet(1, 'old'), replicaSet(2, 'new')],
    pods: [leaving, pod('new', 'new', { ready: true })],
    ...parts,
  };
}

/** The files of a repository that registers a project and an Application for each name, each with a chart of one image. */
export function chartsOf(...names: string[]): Record<string, string> {
  const project = 'apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: { name: platform }\nspec: {}\n';
  return Object.assign(
    { 'argocd/project.yaml': project, 'cluster/argocd/default-project.yaml': '' },
    ...names.map((name) => ({
      [`argocd/${name}.yaml`]: JSON.stringify(registration(name)).replaceAll(
        source.repoURL,
        'https://github.com/zainasr/platform-ops',
      ),
      [`helm/${name}/values.yaml`]: `image:\n  repository: ghcr.io/zainasr/${name}\n  tag: old\n`,
      [`helm/${name}/values-dev.yaml`]: '',
    })),
  );
}

/** The Application of that name as `argocd/` registers it. */
export function registration(name: string): ServiceApplication {
  const { status, ...itself } = application();
  const path = `helm/${name}`;
  return { ...itself, metadata: { ...itself.metadata, name }, spec: { source: { ...itself.spec.source, path } } };
}

/**
 * A context in which `sync` works: a checkout, the objects that a test's cluster lists, and the pull secret of `up`, with which no
 * stub is needed. `calls` are told of what kubectl is called for, a line each.
 */
export function syncContext(
  root: string,
  list: (apiVersion: string, kind: string) => Promise<KubeObject[]>,
  { calls = [], gitops }: { calls?: string[]; gitops?: object | undefined } = {},
): Context {
  let checkout: Promise<Checkout> | undefined;
  const managedFields = [{ manager: fieldManager, operation: 'Apply' }];
  const pullSecret = made('Secret', pullSecretName, { namespace: 'default', managedFields });
  const up = { data: { activeTargets: [{ labels: { pod: 'new' }, health: 'up' }] } };
  return fakeContext({
    config: {
      ...{ root, stateDir: `${root}/.state/test`, environment: 'dev', clusterName: 'test', gitops },
      ports: { http: 8080, https: 8443 },
    },
    exec: gitExec,
    signal: new AbortController().signal,
    timeout: 20_000,
    images: { inNode: async () => new Map() },
    checkout: (fresh?: 'fresh') => {
      if (fresh || !checkout) checkout = readCheckout(gitExec, root);
      return checkout;
    },
    api: () => ({
      list,
      listMetadata: async () => [pullSecret],
      json: async (path: string) =>
        path.includes('/targets') ? up : path.includes('/secrets/') ? { data: {} } : { items: [] },
      text: async () => '',
    }),
    kubectl: async () => ({
      run: async (args: readonly string[]) => void calls.push(args.join(' ')),
      apply: async (objects: readonly KubeObject[]) => {
        calls.push(`apply ${objects.map(({ kind }) => kind).join(' ')}`);
        return [];
      },
    }),
  });
}
