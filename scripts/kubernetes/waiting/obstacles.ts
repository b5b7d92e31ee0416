import { ApiError, Unreachable } from '../api/api.ts';
import type { Context } from '../context.ts';
import { type KubeObject, nameOf } from '../objects.ts';

interface Namespace extends KubeObject {
  status?: { conditions?: { type: string; status: string; message?: string }[] };
}

/** No more than these are told: one obstacle often holds many. */
const atMost = 5;

/** What holds objects that were deleted and are still there, a sentence each. Never throws for what can't be told. */
export async function obstacles(context: Context, objects: readonly KubeObject[]): Promise<string[]> {
  const namespaces = await namespacesOf(context);
  const leaving = new Set(objects.flatMap(({ kind, metadata }) => (kind === 'Namespace' ? [metadata.name] : [])));
  // What waits for its namespace to be emptied is no reason why that isn't.
  const telling = objects.filter(
    ({ metadata }) => metadata.finalizers?.length || !leaving.has(metadata.namespace ?? ''),
  );
  return telling.slice(0, atMost).map((object) => {
    const { kind, metadata } = object;
    if (metadata.deletionTimestamp === undefined) return `${nameOf(object)} was not deleted, or was made again.`;
    // The API server says it of a namespace in a few sentences, each of which names kinds and finalizers.
    const conditions = kind === 'Namespace' ? (namespaces.get(metadata.name)?.status?.conditions ?? []) : [];
    const told = conditions.flatMap(({ status, message }) => (status === 'True' && message ? [message] : []));
    if (told.length > 0) return `${nameOf(object)}: ${told.join('; ')}`;
    if (metadata.finalizers?.length)
      return `${nameOf(object)} is held by the finalizer ${metadata.finalizers.join(', ')}.`;
    return `${nameOf(object)} is still being deleted.`;
  });
}

async function namespacesOf(context: Context): Promise<Map<string, Namespace>> {
  try {
    const all = await context.api().list<Namespace>('v1', 'Namespace');
    return new Map(all.map((namespace) => [namespace.metadata.name, namespace]));
  } catch (error) {
    if (error instanceof ApiError || error instanceof Unreachable) return new Map();
    throw error;
  }
}
