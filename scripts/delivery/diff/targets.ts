import { parseAllDocuments, type Tags } from 'yaml';
import { isTracked, trackingId } from '../../cluster/ownership.ts';
import type { ApiServer } from '../../kubernetes/api/api.ts';
import { everyKind, type ServedResource } from '../../kubernetes/api/discovery.ts';
import { groupOf, identityOf, type KubeObject } from '../../kubernetes/objects.ts';
import { UserError } from '../../lib/errors.ts';
import { type Application, namespaceOf } from '../../repository/applications.ts';

/** What Argo CD would have in the cluster, and what it would run beside that. */
export interface RenderedTargets {
  objects: KubeObject[];
  hooks: { object: KubeObject; phases: string[] }[];
}

/** The objects that helm printed for an Application, as Argo CD completes them. Throws a `UserError` for what is no object. */
export function targetsOf(output: string, application: Application, facts: ClusterFacts): RenderedTargets {
  const hooks: RenderedTargets['hooks'] = [];
  const objects = new Map<string, KubeObject>();
  for (const object of parseOutput(output, application).map((one) => completed(one, application, facts))) {
    const phases = hookPhases(object);
    // Of an object that is there twice, Argo CD takes the last (controller/state.go, NormalizeTargetObjects).
    if (phases === undefined) objects.set(identityOf(object), object);
    else if (phases.length > 0) hooks.push({ object, phases });
  }
  return { objects: [...objects.values()], hooks };
}

/**
 * Read as YAML 1.1, as Go's library does, but for two kinds of scalars of which that makes texts: points in time and
 * numbers to the base of sixty.
 */
const yamlTags = (all: Tags): Tags =>
  all.filter((tag) => typeof tag === 'string' || (tag.tag !== 'tag:yaml.org,2002:timestamp' && tag.format !== 'TIME'));

function parseOutput(output: string, { metadata }: Application): KubeObject[] {
  const documents = parseAllDocuments(output, { version: '1.1', customTags: yamlTags, logLevel: 'error' });
  return [...documents].flatMap((document) => {
    const [error] = document.errors;
    const object = error ? undefined : (document.toJS() as KubeObject | null);
    if (object === null) return [];
    if (object?.kind && object.apiVersion && Array.isArray(object.items)) return object.items as KubeObject[];
    if (object?.kind && object.apiVersion && object.metadata?.name) return [object];
    throw new UserError(`${metadata.name} renders what is no object: ${error?.message ?? JSON.stringify(object)}`, {
      hint: 'npm run validate says where.',
    });
  });
}

/** With the namespace that it gets, and the annotation by which Argo CD knows it. */
function completed(object: KubeObject, application: Application, facts: ClusterFacts): KubeObject {
  const { namespace = namespaceOf(application), ...rest } = object.metadata;
  // Of a kind that it doesn't know, Argo CD takes the objects to be in a namespace.
  const metadata = servedAs(facts, object)?.namespaced === false ? rest : { ...rest, namespace };
  if (object.kind === 'CustomResourceDefinition') return { ...object, metadata };
  // That of an object in no namespace bears the Application's.
  const named = { ...object, metadata: { namespace: namespaceOf(application), ...metadata } };
  const annotations = { ...metadata.annotations, ...trackingId(named, application.metadata.name) };
  return { ...object, metadata: { ...metadata, annotations } };
}

/** What Argo CD makes of Helm's hooks (gitops-engine, sync/hook/helm); the others, `test` among them, it leaves alone. */
const helmHookPhases: Record<string, string> = {
  'pre-install': 'PreSync',
  'pre-upgrade': 'PreSync',
  'post-install': 'PostSync',
  'post-upgrade': 'PostSync',
};
const syncPhases: ReadonlySet<string> = new Set(['PreSync', 'Sync', 'PostSync', 'SyncFail']);

/**
 * The phases of a sync in which Argo CD runs an object as a hook; none for one that it leaves alone, such as a `helm test`
 * or what is marked Skip. Undefined for an object like all others.
 */
function hookPhases(object: KubeObject): string[] | undefined {
  const argo = annotationValues(object, 'argocd.argoproj.io/hook').filter((value) => value !== '');
  const helm = annotationValues(object, 'helm.sh/hook').filter((value) => value !== '' && value !== 'crd-install');
  if (argo.length === 0 && helm.length === 0) return undefined;
  const named = argo.filter((phase) => syncPhases.has(phase) || phase === 'Skip');
  // Where it knows one of its own, Argo CD doesn't look at Helm's.
  const all = named.length > 0 ? named : helm.flatMap((value) => helmHookPhases[value] ?? []);
  return [...new Set(all.filter((phase) => syncPhases.has(phase)))];
}

/** What a chart is rendered for, and how its objects are found: the cluster's version and the kinds that it serves. */
export interface ClusterFacts {
  /** As in 1.36.4. */
  kubeVersion: string;
  kinds: readonly ServedResource[];
}

/** Asks the API server. Throws `Unreachable`. */
export async function readClusterFacts(api: ApiServer): Promise<ClusterFacts> {
  const [{ gitVersion }, kinds] = await Promise.all([api.json<{ gitVersion: string }>('/version'), everyKind(api)]);
  // Without what a vendor adds to it, as Argo CD hands it on (reposerver/repository, parseKubeVersion).
  return { kubeVersion: /\d+\.\d+\.\d+/.exec(gitVersion)?.[0] ?? gitVersion, kinds };
}

/**
 * What a chart sees as `.Capabilities.APIVersions`: each version and each kind in it that can be listed and watched
 * (util/argo, APIResourcesToStrings; gitops-engine, GetAPIResources).
 */
export function apiVersions({ kinds }: ClusterFacts): string[] {
  const watched = kinds.filter(({ verbs }) => verbs.includes('list') && verbs.includes('watch'));
  return [...new Set(watched.flatMap(({ apiVersion, kind }) => [apiVersion, `${apiVersion}/${kind}`]))].sort();
}

/** How the cluster serves the kind of an object, or undefined where it doesn't. */
export function servedAs({ kinds }: ClusterFacts, { apiVersion, kind }: KubeObject): ServedResource | undefined {
  return kinds.find((served) => served.apiVersion === apiVersion && served.kind === kind);
}

type Kinds = readonly { group: string; kind: string }[];

/**
 * Whether an AppProject lets its Applications deploy an object, by its kind. Where nothing is said of kinds in namespaces,
 * all of them may; of kinds outside of namespaces, none (pkg/apis/application, IsGroupKindNamePermitted).
 */
export function isKindAllowed(project: KubeObject, { apiVersion, kind }: TypedObject, namespaced: boolean): boolean {
  const spec = project.spec as Record<string, Kinds | undefined>;
  const list = (name: string) => spec[`${namespaced ? 'namespace' : 'cluster'}Resource${name}`];
  const among = (kinds: Kinds = []) =>
    kinds.some((one) => ['*', groupOf(apiVersion)].includes(one.group) && ['*', kind].includes(one.kind));
  const allowed = list('Whitelist');
  return (namespaced && allowed === undefined ? true : among(allowed)) && !among(list('Blacklist'));
}

type TypedObject = Pick<KubeObject, 'apiVersion' | 'kind'>;

/**
 * The metadata of every object that a project's Applications may have deployed. Of a kind that the project doesn't allow,
 * Argo CD sees none (controller/state.go, IsLiveResourcePermitted).
 */
export async function listDeployable(
  api: ApiServer,
  { kinds }: ClusterFacts,
  project: KubeObject,
): Promise<KubeObject[]> {
  const seen = new Set<string>();
  // Of a kind in several versions, the first.
  const first = kinds.filter((served) => {
    const name = `${groupOf(served.apiVersion)} ${served.kind}`;
    const possible = served.verbs.includes('list') && served.verbs.includes('delete');
    return possible && isKindAllowed(project, served, served.namespaced) && !seen.has(name) && seen.add(name);
  });
  const lists = first.map(({ apiVersion, kind, resource }) => api.listMetadata(apiVersion, kind, resource));
  return (await Promise.all(lists)).flat();
}

/**
 * Those of the objects that an Application deployed and no longer renders, but for its hooks and what is being deleted
 * already; with the reason why a sync would keep one, if it would.
 */
export function leftObjects(
  application: Application,
  live: readonly KubeObject[],
  targets: readonly KubeObject[],
): { object: KubeObject; because: string | undefined }[] {
  const name = new Set([application.metadata.name]);
  const wanted = new Set(targets.map(identityOf));
  return live
    .filter((object) => isTracked(object, name) && !wanted.has(identityOf(object)) && hookPhases(object) === undefined)
    .filter(({ metadata }) => metadata.ownerReferences === undefined && metadata.deletionTimestamp === undefined)
    .map((object) => ({ object, because: reasonToKeep(application, object) }));
}

/** gitops-engine, sync/sync_context.go: the object's own option comes before the Application's. */
function reasonToKeep({ spec }: Application, object: KubeObject): string | undefined {
  const { automated, syncOptions = [] } = (spec.syncPolicy ?? {}) as {
    automated?: { prune?: boolean };
    syncOptions?: string[];
  };
  const own = annotationValues(object, 'argocd.argoproj.io/sync-options');
  const option = [...own, ...syncOptions].find((one) => one.startsWith('Prune='));
  if (option === 'Prune=false') return 'it says Prune=false';
  if (option === 'Prune=confirm') return 'it says Prune=confirm: Argo CD waits for you to confirm it';
  return automated?.prune ? undefined : 'its Application does not prune by itself';
}

function annotationValues({ metadata }: KubeObject, key: string): string[] {
  return (metadata.annotations?.[key] ?? '').split(',').map((value) => value.trim());
}
