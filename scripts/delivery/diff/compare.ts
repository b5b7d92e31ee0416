import { ApiError, type ApiServer, jsonIfThere } from '../../kubernetes/api/api.ts';
import { groupOf, type KubeObject, type Named, toYaml } from '../../kubernetes/objects.ts';
import { limitConcurrency } from '../../lib/tasks.ts';
import { type Facts, pathOf, servedAs } from './facts.ts';
import { type Ignored, masked, normalised } from './normalise.ts';
import { type Restart, restartOf } from './restart.ts';
import { unifiedDiff } from './unified-diff.ts';

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
  /** What would be made before: an object in a new namespace, or of a new kind, can't be rehearsed. */
  coming?: readonly KubeObject[];
}

/** As many as there are connections: the time to answer is counted while a request waits for one, too. */
const inTurn = limitConcurrency(8);
/** An object that controllers write to changes between two looks now and then; three times in a row it won't. */
const looks = 3;

/**
 * Asks the API server what an apply of these objects would make of those that it has: as a dry run, each for itself, so
 * that one that is refused hides no other. Throws `Unreachable`.
 */
export async function compare(wanted: readonly KubeObject[], means: Means): Promise<Comparison> {
  const results = await Promise.all(wanted.map((object) => inTurn(() => compareOne(object, means))));
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
  { api, facts, manager, ignored, coming = [] }: Means,
): Promise<Change | Refusal | undefined> {
  const served = servedAs(facts, object);
  const { apiVersion, kind } = object;
  const early = coming.some((other) => makesRoomFor(object, other));
  if (!served && early) return creation(object);
  if (!served) return { ...namesOf(object), reason: `the cluster does not know the kind ${kind} of ${apiVersion}` };
  const path = pathOf(served, object.metadata);
  for (let look = 1; ; look += 1) {
    const live = await jsonIfThere<KubeObject>(api, path);
    try {
      const predicted = await api.dryRunApply<KubeObject>(path, toYaml([object]), manager);
      if (!live) return creation(object);
      if (sameVersion(live, predicted) || look === looks) return change(live, predicted, ignored);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 404 && early) return creation(object);
      return { ...namesOf(object), reason: error.reason };
    }
  }
}

/** Whether the other one is the namespace of the object, or defines kinds of its group. */
function makesRoomFor({ apiVersion, metadata }: KubeObject, { kind, metadata: { name } }: KubeObject): boolean {
  if (kind === 'Namespace') return name === metadata.namespace;
  return kind === 'CustomResourceDefinition' && name.endsWith(`.${groupOf(apiVersion)}`);
}

function sameVersion(live: KubeObject, predicted: KubeObject): boolean {
  return live.metadata.resourceVersion === predicted.metadata.resourceVersion;
}

async function creation(object: KubeObject): Promise<Change> {
  return { ...namesOf(object), action: 'create', diff: await unifiedDiff(undefined, masked(undefined, object).after) };
}

async function change(
  live: KubeObject,
  predicted: KubeObject,
  ignored: readonly Ignored[] = [],
): Promise<Change | undefined> {
  const { before, after } = masked(normalised(live, ignored), normalised(predicted, ignored));
  const diff = await unifiedDiff(before, after);
  if (diff === '') return undefined;
  const restart = before && after && restartOf({ ...before, status: live.status }, after);
  return { ...namesOf(predicted), action: 'change', ...(restart && { restart }), diff };
}
