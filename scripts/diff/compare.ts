import { ApiError, type ApiServer } from '../lib/api.ts';
import { atMost } from '../lib/limit.ts';
import { type KubeObject, toYaml } from '../lib/objects.ts';
import { type Facts, pathOf, servedAs } from './facts.ts';
import { type Ignored, masked, normalised } from './normalise.ts';
import { type Restart, restartOf } from './restart.ts';
import { unifiedDiff } from './unified-diff.ts';

/** An object by its names. */
export interface Named {
  kind: string;
  namespace?: string;
  name: string;
}

export interface Change extends Named {
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

export interface Comparison {
  changes: Change[];
  refused: Refusal[];
}

export interface Means {
  api: ApiServer;
  facts: Facts;
  /** Under this name the objects would be applied. */
  manager: string;
  ignored?: readonly Ignored[];
}

/** As many as there are connections: the time to answer is counted while a request waits for one, too. */
const inTurn = atMost(8);
/** An object that controllers write to changes between two looks now and then; three times in a row it won't. */
const looks = 3;

/**
 * Asks the API server what an apply of these objects would make of those that it has: as a dry run, each for itself, so
 * that one that is refused hides no other. Throws `Unreachable`.
 */
export async function compare(wanted: readonly KubeObject[], means: Means): Promise<Comparison> {
  const made = new Set(wanted.filter(({ kind }) => kind === 'Namespace').map(({ metadata }) => metadata.name));
  const results = await Promise.all(wanted.map((object) => inTurn(() => compareOne(object, made, means))));
  return {
    changes: results.flatMap((result) => (result && 'action' in result ? [result] : [])),
    refused: results.flatMap((result) => (result && 'reason' in result ? [result] : [])),
  };
}

/** Kind, namespace and name. */
export function namesOf({ kind, metadata: { name, namespace } }: KubeObject): Named {
  return { kind, ...(namespace !== undefined && { namespace }), name };
}

async function compareOne(
  object: KubeObject,
  madeNamespaces: ReadonlySet<string>,
  { api, facts, manager, ignored }: Means,
): Promise<Change | Refusal | undefined> {
  const served = servedAs(facts, object);
  const { apiVersion, kind } = object;
  if (!served) return { ...namesOf(object), reason: `the cluster does not know the kind ${kind} of ${apiVersion}` };
  const path = pathOf(served, object.metadata);
  for (let look = 1; ; look += 1) {
    const live = await present(api, path);
    try {
      const predicted = await api.dryRunApply<KubeObject>(path, toYaml([object]), manager);
      if (!live) return creation(object);
      if (sameVersion(live, predicted) || look === looks) return change(live, predicted, ignored);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // The namespace would be made a moment before.
      if (error.status === 404 && madeNamespaces.has(object.metadata.namespace ?? '')) return creation(object);
      return { ...namesOf(object), reason: error.reason };
    }
  }
}

async function present(api: ApiServer, path: string): Promise<KubeObject | undefined> {
  try {
    return await api.json<KubeObject>(path);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

function sameVersion(live: KubeObject, predicted: KubeObject): boolean {
  return live.metadata.resourceVersion === predicted.metadata.resourceVersion;
}

function creation(object: KubeObject): Change {
  return { ...namesOf(object), action: 'create', diff: unifiedDiff(undefined, masked(undefined, object).after) };
}

function change(live: KubeObject, predicted: KubeObject, ignored: readonly Ignored[] = []): Change | undefined {
  const { before, after } = masked(normalised(live, ignored), normalised(predicted, ignored));
  const diff = unifiedDiff(before, after);
  if (diff === '') return undefined;
  const restart = before && after && restartOf({ ...before, status: live.status }, after);
  return { ...namesOf(predicted), action: 'change', ...(restart && { restart }), diff };
}
