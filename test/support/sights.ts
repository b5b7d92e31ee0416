import type { ApplicationState, ReplicaSet } from '../../scripts/delivery/sync/rollout.ts';
import type { Pod, Workload } from '../../scripts/kubernetes/types.ts';
import type { Application } from '../../scripts/repository/applications.ts';

/** Two commits, and the times of the sync that brought the second. */
export const commits = { old: 'a'.repeat(40), new: 'b'.repeat(40) };
export const began = '2026-01-02T03:04:05Z';
export const image = (tag: string) => `ghcr.io/zainasr/api-node:${tag}`;

const spec = (tag: string) => ({ containers: [{ name: 'api-node', image: image(tag) }] });
const labels = { 'app.kubernetes.io/name': 'api-node' };

/** A ReplicaSet of the Deployment api-node, as its `number`th template. */
export function replicaSet(number: number, tag: string): ReplicaSet {
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
  status: Partial<NonNullable<Application['status']>> = {},
  operation?: Application['operation'],
): Application {
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
