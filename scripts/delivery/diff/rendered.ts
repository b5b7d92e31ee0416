import { parseAllDocuments, type Tags } from 'yaml';
import { trackingId } from '../../cluster/ownership.ts';
import { identityOf, type KubeObject } from '../../kubernetes/objects.ts';
import { UserError } from '../../lib/errors.ts';
import type { Application } from '../../repository/applications.ts';
import { type Facts, servedAs } from './facts.ts';
import { namespaceOf } from './helm-arguments.ts';
import { hookPhases } from './hooks.ts';

/** What Argo CD would have in the cluster, and what it would run beside that. */
export interface Targets {
  objects: KubeObject[];
  hooks: { object: KubeObject; phases: string[] }[];
}

/** The objects that helm printed for an Application, as Argo CD completes them. Throws a `UserError` for what is no object. */
export function targetsOf(output: string, application: Application, facts: Facts): Targets {
  const all = parsed(output, application).flatMap(flattened);
  const complete = all.map((object) => tracked(placed(object, application, facts), application));
  const hooks: Targets['hooks'] = [];
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
const tags = (all: Tags): Tags =>
  all.filter((tag) => typeof tag === 'string' || (tag.tag !== 'tag:yaml.org,2002:timestamp' && tag.format !== 'TIME'));

function parsed(output: string, { metadata }: Application): KubeObject[] {
  const documents = parseAllDocuments(output, { version: '1.1', customTags: tags, logLevel: 'error' });
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

function flattened(object: KubeObject): KubeObject[] {
  return Array.isArray(object.items) ? (object.items as KubeObject[]) : [object];
}

function placed(object: KubeObject, application: Application, facts: Facts): KubeObject {
  const { namespace: stated, ...metadata } = object.metadata;
  // Of a kind that it doesn't know, Argo CD takes the objects to be in a namespace.
  if (servedAs(facts, object)?.namespaced === false) return { ...object, metadata };
  return { ...object, metadata: { ...metadata, namespace: stated ?? namespaceOf(application) } };
}

function tracked(object: KubeObject, application: Application): KubeObject {
  if (object.kind === 'CustomResourceDefinition') return object;
  const { metadata } = object;
  // That of an object in no namespace bears the Application's.
  const named = { ...object, metadata: { namespace: namespaceOf(application), ...metadata } };
  const annotations = { ...metadata.annotations, ...trackingId(named, application.metadata.name) };
  return { ...object, metadata: { ...metadata, annotations } };
}
