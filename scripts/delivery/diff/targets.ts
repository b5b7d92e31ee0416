import { parseAllDocuments, type Tags } from 'yaml';
import { trackingId } from '../../cluster/ownership.ts';
import { identityOf, type KubeObject } from '../../kubernetes/objects.ts';
import { UserError } from '../../lib/errors.ts';
import type { Application } from '../../repository/applications.ts';
import { type ClusterFacts, servedAs } from './kinds.ts';
import { targetNamespace } from './render.ts';

/** What Argo CD would have in the cluster, and what it would run beside that. */
export interface RenderedTargets {
  objects: KubeObject[];
  hooks: { object: KubeObject; phases: string[] }[];
}

/** The objects that helm printed for an Application, as Argo CD completes them. Throws a `UserError` for what is no object. */
export function targetsOf(output: string, application: Application, facts: ClusterFacts): RenderedTargets {
  const all = parseOutput(output, application).flatMap(flattenList);
  const complete = all.map((object) => withTracking(withNamespace(object, application, facts), application));
  const hooks: RenderedTargets['hooks'] = [];
  const objects = new Map<string, KubeObject>();
  for (const object of complete) {
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
    if (object?.kind && object.apiVersion && (object.metadata?.name || Array.isArray(object.items))) return [object];
    throw new UserError(`${metadata.name} renders what is no object: ${error?.message ?? JSON.stringify(object)}`, {
      hint: 'npm run validate says where.',
    });
  });
}

function flattenList(object: KubeObject): KubeObject[] {
  return Array.isArray(object.items) ? (object.items as KubeObject[]) : [object];
}

function withNamespace(object: KubeObject, application: Application, facts: ClusterFacts): KubeObject {
  const { namespace: stated, ...metadata } = object.metadata;
  // Of a kind that it doesn't know, Argo CD takes the objects to be in a namespace.
  if (servedAs(facts, object)?.namespaced === false) return { ...object, metadata };
  return { ...object, metadata: { ...metadata, namespace: stated ?? targetNamespace(application) } };
}

function withTracking(object: KubeObject, application: Application): KubeObject {
  if (object.kind === 'CustomResourceDefinition') return object;
  const { metadata } = object;
  // That of an object in no namespace bears the Application's.
  const named = { ...object, metadata: { namespace: targetNamespace(application), ...metadata } };
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
export function hookPhases({ metadata }: KubeObject): string[] | undefined {
  const values = (key: string) => (metadata.annotations?.[key] ?? '').split(',').map((value) => value.trim());
  const argo = values('argocd.argoproj.io/hook').filter((value) => value !== '');
  const helm = values('helm.sh/hook').filter((value) => value !== '' && value !== 'crd-install');
  if (argo.length === 0 && helm.length === 0) return undefined;
  const named = argo.filter((phase) => syncPhases.has(phase) || phase === 'Skip');
  // Where it knows one of its own, Argo CD doesn't look at Helm's.
  const all = named.length > 0 ? named : helm.flatMap((value) => helmHookPhases[value] ?? []);
  return [...new Set(all.filter((phase) => syncPhases.has(phase)))];
}
