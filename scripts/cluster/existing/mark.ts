import type { Context } from '../../images/context.ts';
import type { KubeObject } from '../../kubernetes/objects.ts';
import { wasApplied } from '../ownership.ts';

/** The Namespace by which a cluster is known as one that somebody wanted the platform in. Nothing is in it. */
const name = 'platform-ops';
const annotation = 'platform-ops/repository';

/** What a cluster says of the platform in it. */
export interface Mark {
  /** Which repository that follows. */
  repository: string;
  /** What is older than that in the cluster was there before the platform. */
  since: Date;
}

/** The mark of a cluster, or undefined where it has none: nobody agreed that anything be installed there. */
export async function readMark(context: Context): Promise<Mark | undefined> {
  const namespaces = await context.api().listMetadata('v1', 'Namespace');
  const mark = namespaces.find(isMark);
  if (!mark || !wasApplied(mark)) return undefined;
  const { annotations = {}, creationTimestamp = '' } = mark.metadata;
  return { repository: annotations[annotation] ?? '', since: new Date(creationTimestamp) };
}

/** Whether the mark says that the platform in this cluster is the one of these settings. */
export function isOurs({ config }: Pick<Context, 'config'>, mark: Mark | undefined): boolean {
  return mark !== undefined && mark.repository === config.gitops?.repoUrl;
}

/** Says in the cluster that the platform of these settings is wanted there. */
export async function leaveMark(context: Context): Promise<void> {
  const kubectl = await context.kubectl();
  await kubectl.apply([markFor(context)]);
}

/** Takes the mark away again, once nothing is left that it speaks of. */
export async function removeMark(context: Context): Promise<void> {
  const kubectl = await context.kubectl();
  await kubectl.run(['delete', 'namespace', name, '--ignore-not-found', '--wait=true']);
}

/** The mark as an object, as it is to be. */
export function markFor({ config }: Pick<Context, 'config'>): KubeObject {
  const annotations = { [annotation]: config.gitops?.repoUrl ?? '' };
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, annotations } };
}

/** Whether an object is the mark. */
export function isMark({ kind, metadata }: KubeObject): boolean {
  return kind === 'Namespace' && metadata.name === name;
}
