import { isDeepStrictEqual } from 'node:util';
import { ApiError, type ApiServer, jsonIfThere, Unreachable } from '../../kubernetes/api/api.ts';
import {
  collectionPath,
  groupOf,
  type KubeObject,
  lastAppliedAnnotation,
  type Named,
  namedOf,
  toReadableYaml,
  toYaml,
} from '../../kubernetes/objects.ts';
import { UserError } from '../../lib/errors.ts';
import { limitConcurrency } from '../../lib/tasks.ts';
import { withoutZeros } from '../../repository/applications.ts';
import { isApplication } from '../../repository/registrations.ts';
import { type Restart, restartOf } from './restart.ts';
import { type ClusterFacts, servedAs } from './targets.ts';

export interface ObjectChange extends Named {
  action: 'create' | 'change' | 'prune';
  /** What would be restarted by it. */
  restart?: Restart;
  /** Unified, of the YAML as the API server would keep it. Nothing for what is pruned. */
  diff?: string;
}

/** An object that would not be accepted, and why. */
export interface Refusal extends Named {
  reason: string;
}

/** What would become of some objects, which are an Application's or a component's. */
export interface ObjectComparison {
  /** Why they could not be rendered or read: then nothing is known of them. */
  error?: Failure;
  changes: ObjectChange[];
  refused: Refusal[];
}

interface CompareOptions {
  api: ApiServer;
  facts: ClusterFacts;
  /** Under this name the objects would be applied. */
  manager: string;
  ignored?: readonly IgnoreRule[];
  /** What would be made before: an object in a new namespace, or of a new kind, can't be rehearsed. */
  coming?: readonly KubeObject[];
}

/** As many as there are connections: the time to answer is counted while a request waits for one, too. */
const limited = limitConcurrency(8);
/** An object that controllers write to changes between two looks now and then; three times in a row it won't. */
const maxAttempts = 3;

/**
 * Asks the API server what an apply of these objects would make of those that it has: as a dry run, each for itself, so
 * that one that is refused hides no other. Throws `Unreachable`.
 */
export async function compareObjects(wanted: readonly KubeObject[], means: CompareOptions): Promise<ObjectComparison> {
  const results = await Promise.all(wanted.map((object) => limited(() => compareObject(object, means))));
  return {
    changes: results.flatMap((result) => (result && 'action' in result ? [result] : [])),
    refused: results.flatMap((result) => (result && 'reason' in result ? [result] : [])),
  };
}

async function compareObject(
  object: KubeObject,
  { api, facts, manager, ignored, coming = [] }: CompareOptions,
): Promise<ObjectChange | Refusal | undefined> {
  const served = servedAs(facts, object);
  const { apiVersion, kind } = object;
  const early = coming.some((other) => isPrerequisite(object, other));
  if (!served && early) return createChange(object);
  if (!served) return { ...namedOf(object), reason: `the cluster does not know the kind ${kind} of ${apiVersion}` };
  const path = `${collectionPath(apiVersion, kind, object.metadata.namespace, served.resource)}/${object.metadata.name}`;
  for (let look = 1; ; look += 1) {
    const live = await jsonIfThere<KubeObject>(api, path);
    try {
      const predicted = await api.dryRunApply<KubeObject>(path, toYaml([object]), manager);
      if (!live) return createChange(object);
      const isSame = live.metadata.resourceVersion === predicted.metadata.resourceVersion;
      if (isSame || look === maxAttempts) return updateChange(live, predicted, ignored);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 404 && early) return createChange(object);
      return { ...namedOf(object), reason: error.reason };
    }
  }
}

/** Whether the other one is the namespace of the object, or defines kinds of its group. */
function isPrerequisite({ apiVersion, metadata }: KubeObject, { kind, metadata: { name } }: KubeObject): boolean {
  if (kind === 'Namespace') return name === metadata.namespace;
  return kind === 'CustomResourceDefinition' && name.endsWith(`.${groupOf(apiVersion)}`);
}

async function createChange(object: KubeObject): Promise<ObjectChange> {
  const diff = await unifiedDiff(undefined, masked(object, undefined, 'after'));
  return { ...namedOf(object), action: 'create', diff };
}

async function updateChange(
  live: KubeObject,
  predicted: KubeObject,
  ignored: readonly IgnoreRule[] = [],
): Promise<ObjectChange | undefined> {
  const [before, after] = [normalised(live, ignored), normalised(predicted, ignored)];
  const diff = await unifiedDiff(masked(before, after, 'before'), masked(after, before, 'after'));
  if (diff === '') return undefined;
  const restart = restartOf({ ...before, status: live.status }, after);
  return { ...namedOf(predicted), action: 'change', ...(restart && { restart }), diff };
}

/** An entry of an Application's `spec.ignoreDifferences`. */
export interface IgnoreRule {
  group?: string;
  kind: string;
  name?: string;
  namespace?: string;
  jsonPointers?: string[];
  jqPathExpressions?: string[];
  managedFieldsManagers?: string[];
}

const serverFields = ['managedFields', 'resourceVersion', 'generation', 'uid', 'creationTimestamp', 'selfLink'];

/** An object without what the API server keeps book of, what controllers report, and what the Application has ignored. */
export function normalised(object: KubeObject, ignored: readonly IgnoreRule[] = []): KubeObject {
  const { status, ...rest } = object;
  const copy = structuredClone(rest) as KubeObject;
  const metadata = copy.metadata as unknown as Record<string, unknown>;
  for (const field of serverFields) delete metadata[field];
  delete copy.metadata.annotations?.[lastAppliedAnnotation];
  for (const entry of ignored) {
    if (matches(entry, object)) for (const pointer of entry.jsonPointers ?? []) removeAt(copy, pointer);
  }
  if (isApplication(copy)) copy.spec = withoutZeros(copy.spec);
  return copy;
}

function matches({ group = '', kind, name, namespace }: IgnoreRule, object: KubeObject): boolean {
  const fits = (pattern: string, text: string) => pattern === '*' || pattern === text;
  const { metadata } = object;
  return (
    fits(group, groupOf(object.apiVersion)) &&
    fits(kind, object.kind) &&
    fits(name || '*', metadata.name) &&
    fits(namespace || '*', metadata.namespace ?? '')
  );
}

/** Removes what a JSON pointer (RFC 6901) leads to; nothing where it leads nowhere. */
function removeAt(object: KubeObject, pointer: string): void {
  const parts = pointer.split('/').slice(1);
  const keys = parts.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  const last = keys.pop();
  const parent = keys.reduce<unknown>((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], object);
  if (last === undefined || typeof parent !== 'object' || parent === null) return;
  if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else delete (parent as Record<string, unknown>)[last];
}

/** An object with every value of a Secret hidden; one that differs in the other object shows whether it is before or after. */
function masked(object: KubeObject, other: KubeObject | undefined, word: 'before' | 'after'): KubeObject {
  if (object.kind !== 'Secret' || object.apiVersion !== 'v1') return object;
  const copy = { ...object };
  for (const field of ['data', 'stringData']) {
    if (!copy[field]) continue;
    const others = (other?.[field] ?? {}) as Record<string, unknown>;
    const hidden = Object.entries(copy[field]).map(([key, value]) => {
      const changed = key in others && !isDeepStrictEqual(others[key], value);
      return [key, changed ? `(hidden, ${word})` : '(hidden)'];
    });
    copy[field] = Object.fromEntries(hidden);
  }
  return copy;
}

/** The differences of two objects' YAML in unified form, undefined being no object; empty where there are none. */
async function unifiedDiff(before: KubeObject | undefined, after: KubeObject | undefined): Promise<string> {
  if (isDeepStrictEqual(before, after)) return '';
  // Loaded where something differs, which most objects don't.
  const { createTwoFilesPatch, OMIT_HEADERS } = await import('diff');
  // As many lines of context as git shows, and no names of files, of which there are none.
  const options = { context: 3, headerOptions: OMIT_HEADERS };
  const text = (object: KubeObject | undefined) => (object === undefined ? '' : toReadableYaml(object));
  return createTwoFilesPatch('', '', text(before), text(after), undefined, undefined, options).trimEnd();
}

/** What went wrong with a part of the whole, and what to do about it. */
export interface Failure {
  message: string;
  hint?: string;
}

/** The failure of one part, which leaves the others untouched. Throws on what is a bug, or concerns all of them. */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof UserError) || error instanceof Unreachable) throw error;
  return { message: error.message, ...(error.hint !== undefined && { hint: error.hint }) };
}
