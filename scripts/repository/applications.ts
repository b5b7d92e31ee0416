import { posix } from 'node:path';
import type { Environment } from '../config/settings.ts';
import type { ClusterContext } from '../kubernetes/context.ts';
import type { KubeObject, Named } from '../kubernetes/objects.ts';
import type { Workload } from '../kubernetes/types.ts';
import { isOfService } from '../kubernetes/workloads.ts';

/** The namespace of an Application that names none. */
export const defaultNamespace = 'default';
const productionValues = 'values-prod.yaml';

/** A single value, laid over those of the files. */
export interface HelmParameter {
  /** Where it belongs, as Helm's `--set` takes it: a dot inside a key has a backslash before it. */
  name: string;
  value: string;
  /** Whether it stays text where it looks like a number. */
  forceString?: boolean;
}

/** Where an Application has its objects from: a folder of a Git repository, or a chart of a Helm repository. */
export interface Source {
  repoURL: string;
  targetRevision?: string;
  path?: string;
  /** The chart of a Helm repository. */
  chart?: string;
  helm?: {
    releaseName?: string;
    valueFiles?: string[];
    ignoreMissingValueFiles?: boolean;
    parameters?: HelmParameter[];
    [field: string]: unknown;
  };
  [field: string]: unknown;
}

/** A chart of this repository; the path and its values files (see `valuesPath`) count from the top of the repository's files. */
export interface ChartSource extends Source {
  path: string;
  helm: Source['helm'] & { valueFiles: string[] };
}

export interface Application extends KubeObject {
  spec: {
    project?: string;
    destination?: { server?: string; name?: string; namespace?: string };
    source?: Source;
    /** In place of `source`. */
    sources?: Source[];
    [field: string]: unknown;
  };
  /** What Argo CD is about to do, or is doing. */
  operation?: { sync?: { revision?: string } };
  status?: {
    sync?: {
      status: string;
      revision?: string;
      /** One for each of several sources. */
      revisions?: string[];
      comparedTo?: { source?: Partial<Source>; sources?: Partial<Source>[] };
    };
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
  deployStartedAt?: string;
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

/** An Application that deploys a chart of this repository, and nothing else: it has an image, a promotion and a rollout. */
export interface ServiceApplication extends Application {
  spec: Application['spec'] & { source: ChartSource };
}

/** The sources of an Application; none where Argo CD hydrates them. */
export function applicationSources({ spec }: Pick<Application, 'spec'>): Source[] {
  if (spec.sourceHydrator !== undefined) return [];
  if (spec.sources !== undefined && spec.sources.length > 0) return spec.sources;
  return spec.source ? [spec.source] : [];
}

/**
 * Drops what Argo CD's controller takes out of an Application again (util/argo, NormalizeApplicationSpec): `kustomize: {}` and
 * the like of a source, and a `syncPolicy` that says nothing. `automated: {}` does say something.
 * @returns another one, which the controller leaves as it is.
 */
export function withoutZeros(spec: Application['spec']): Application['spec'] {
  const copy = structuredClone(spec);
  const { syncPolicy } = copy;
  if (syncPolicy && Object.values(syncPolicy).every((value) => value === null || isEmptyList(value)))
    delete copy.syncPolicy;
  for (const source of applicationSources({ spec: copy }))
    for (const field of ['kustomize', 'helm', 'directory', 'plugin'] as const)
      if (isZero(source[field])) delete source[field];
  return copy;
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** Whether Go takes a value for that of a field which is not there. */
function isZero(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return !value;
  return Array.isArray(value) ? value.length === 0 : Object.values(value).every(isZero);
}

/** The namespace that an Application deploys into. */
export function namespaceOf({ spec }: Pick<Application, 'spec'>): string {
  return spec.destination?.namespace || defaultNamespace;
}

/** The namespaces that Applications deploy into, each once. */
export function namespacesOf(applications: readonly Pick<Application, 'spec'>[]): string[] {
  return [...new Set(applications.map(namespaceOf))];
}

/** The Deployment of an Application: the one that bears its name, or else the first that Argo CD lists. */
export function deploymentOf(application: Application, deployments: readonly Workload[]): Workload | undefined {
  const { metadata, status } = application;
  const find = (name: string, namespace: string) =>
    deployments.find((one) => one.metadata.name === name && one.metadata.namespace === namespace);
  const listed = (status?.resources ?? []).filter(({ kind }) => kind === 'Deployment');
  return (
    deployments.find(isOfService(metadata.name, namespaceOf(application))) ??
    listed.map(({ name, namespace = '' }) => find(name, namespace)).find((one) => one !== undefined)
  );
}

/** Whether Argo CD has compared it with that commit, in one of its sources. */
export function isAtCommit({ status }: Application, commit: string | undefined): boolean {
  const { revision, revisions = [] } = status?.sync ?? {};
  return commit === undefined || revision === commit || revisions.includes(commit);
}

/** `./helm/core-go/` as `helm/core-go`. */
export function normalPath(path: string): string {
  return posix.normalize(path).replace(/(?<=.)\/$/, '');
}

/** Whether a values file is one of the repository: no address, no file of another source, no pattern and no template. */
export function isRepositoryFile(file: string): boolean {
  return !/^\w+:\/\/|^\$|[*?[]|\{\{/.test(file);
}

/**
 * A values file from the top of the repository, as Argo CD finds it: beside the chart, or below the top where it begins with a
 * slash (util/io/path, ResolveValueFilePathOrUrl). What is no file of the repository stays as it is written.
 */
export function valuesPath(path: string, file: string): string {
  return isRepositoryFile(file) ? posix.join(posix.isAbsolute(file) ? '.' : path, file) : file;
}

/** The values file that wins, of those in the repository, as it is seen from the chart's folder. */
export function topValues({ path = '.', helm }: Source): string {
  const file = helm?.valueFiles?.filter(isRepositoryFile).at(-1) ?? 'values.yaml';
  return posix.relative(path, valuesPath(path, file));
}

/** The values files of this repository with which this cluster renders a chart: those of ENVIRONMENT in place of production's. */
export function localValueFiles({ spec }: Pick<ServiceApplication, 'spec'>, environment: Environment): string[] {
  const { path, helm } = spec.source;
  return helm.valueFiles.filter(isRepositoryFile).map((file) => localValueFile(path, file, environment));
}

/** The values file that this cluster reads in place of one of a chart's; both from the top of the repository. */
export function localValueFile(path: string, file: string, environment: Environment): string {
  return file === posix.join(path, productionValues) ? posix.join(path, `values-${environment}.yaml`) : file;
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
