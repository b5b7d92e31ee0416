import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Environment } from '../config/settings.ts';
import type { ClusterContext } from '../kubernetes/context.ts';
import type { KubeObject, Named } from '../kubernetes/objects.ts';
import { readManifests } from './manifests.ts';

/** The namespace that the services run in, as in production. */
export const servicesNamespace = 'default';
const productionValues = 'values-prod.yaml';

export interface Application extends KubeObject {
  spec: {
    source: {
      repoURL: string;
      targetRevision: string;
      path: string;
      helm: { releaseName: string; valueFiles: string[] };
    };
    [field: string]: unknown;
  };
  /** What Argo CD is about to do, or is doing. */
  operation?: { sync?: { revision?: string } };
  status?: {
    sync?: { status: string; revision?: string; comparedTo?: { source?: Partial<Application['spec']['source']> } };
    health?: { status: string; message?: string };
    conditions?: { type: string; message: string }[];
    operationState?: {
      phase: string;
      message?: string;
      startedAt?: string;
      /** In the phase Running: when it failed, until it is tried again. */
      finishedAt?: string;
      operation?: { sync?: { revision?: string } };
      syncResult?: { revision?: string; resources?: SyncedObject[] };
    };
    /** When Argo CD compared it last. */
    reconciledAt?: string;
    /** What was synced, the latest last. */
    history?: SyncRecord[];
    summary?: { images?: string[] };
    resources?: ApplicationResource[];
  };
}

/** An entry of an Application's history. */
export interface SyncRecord {
  revision?: string;
  deployedAt?: string;
  source?: object;
}

/** An object that an Application deploys. */
export interface ApplicationResource extends Named {
  group?: string;
  version?: string;
  status?: string;
  health?: { status: string; message?: string };
  requiresPruning?: boolean;
}

/** What became of an object in a sync. */
interface SyncedObject {
  kind: string;
  name: string;
  namespace?: string;
  /** Synced, SyncFailed, Pruned or PruneSkipped; none yet for one whose turn has not come. */
  status?: string;
  message?: string;
}

/** What `argocd/` registers: the Applications, one for each service, and the project that they are in. */
export async function readRegistrations(root: string): Promise<{ project: KubeObject[]; applications: Application[] }> {
  const files = (await readdir(join(root, 'argocd'))).filter((file) => file.endsWith('.yaml')).sort();
  const objects = await readManifests(
    root,
    files.map((file) => join('argocd', file)),
  );
  return {
    project: objects.filter(({ kind }) => kind !== 'Application'),
    applications: objects.filter(({ kind }) => kind === 'Application') as Application[],
  };
}

/** The names of the values files with which this cluster renders a chart: those of ENVIRONMENT in place of production's. */
export function localValueFiles({ spec }: Application, environment: Environment): string[] {
  return spec.source.helm.valueFiles.map((file) => (file === productionValues ? `values-${environment}.yaml` : file));
}

/** The namespace that Argo CD runs in, and that Applications and their projects lie in. */
export const argocdNamespace = 'argocd';
/** The API version of Applications and their projects. */
export const applicationApi = 'argoproj.io/v1alpha1';

/** Every Application in the cluster, as the context's view has them. */
export async function applicationsOf(context: ClusterContext): Promise<Application[]> {
  return context.view().list<Application>(applicationApi, 'Application');
}

/** The Applications in Argo CD's namespace as they are at this moment, for who waits until they change. */
export async function applicationsNow(context: ClusterContext): Promise<Application[]> {
  return context.api().list<Application>(applicationApi, 'Application', argocdNamespace);
}
