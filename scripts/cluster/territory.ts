import type { Context } from '../images/context.ts';
import { groupOf, type KubeObject } from '../kubernetes/objects.ts';
import { applicationNames, isTracked, isUnwritten, type Territory, wasApplied } from './ownership.ts';

/**
 * Asks the cluster what is the platform's there. Nothing may be removed or overwritten by its name alone, which somebody
 * may have given to something of theirs, on a cluster of kind as well.
 */
export async function territoryOf(context: Context): Promise<Territory> {
  const [mark, namespaces, definitions, applications] = await Promise.all([
    readMarker(context),
    context.api().listMetadata('v1', 'Namespace'),
    context.api().listMetadata('apiextensions.k8s.io/v1', 'CustomResourceDefinition'),
    applicationNames(context),
  ]);
  const since = mark?.since.getTime() ?? Number.POSITIVE_INFINITY;
  // Whole seconds: what was made in the second of the mark was made behind it. A cluster of kind has no mark, and is ours.
  const younger = ({ metadata }: KubeObject) =>
    context.target === undefined || Date.parse(metadata.creationTimestamp ?? '') >= since;
  const namesOf = (objects: readonly KubeObject[]) =>
    new Set(
      objects.filter((one) => wasApplied(one) && younger(one) && !isMarker(one)).map(({ metadata }) => metadata.name),
    );
  const [spaces, kinds] = [namesOf(namespaces), namesOf(definitions)];
  // Clusters of kind of before: a Namespace of the platform had no label.
  const isBare = (object: KubeObject) => context.target === undefined && isUnwritten(object);
  const within = ({ apiVersion, metadata, resource }: KubeObject) =>
    spaces.has(metadata.namespace ?? '') || kinds.has(`${resource}.${groupOf(apiVersion)}`);
  const isLabelled = ({ labels = {} }: KubeObject['metadata']) =>
    labels['app.kubernetes.io/part-of'] === 'platform' && applications.has(labels['app.kubernetes.io/instance'] ?? '');
  return {
    namespaces: spaces,
    within,
    owns: (object) =>
      younger(object) &&
      !isMarker(object) &&
      (wasApplied(object) || within(object) || isTracked(object, applications) || isBare(object)),
    ranFor: (object) => younger(object) && isLabelled(object.metadata),
  };
}

/** The Namespace by which a cluster is known as one that somebody wanted the platform in. Nothing is in it. */
const markerNamespace = 'platform-ops';
const markerAnnotation = 'platform-ops/repository';
/** Since when what is there is the platform's, where that is before the mark: it took over what somebody had applied. */
const sinceAnnotation = 'platform-ops/since';

/** What a cluster says of the platform in it. */
export interface PlatformMarker {
  /** Which repository that follows. */
  repository: string;
  /** What is older than that in the cluster was there before the platform. */
  since: Date;
  /** Whether it took over what somebody had applied before. */
  tookOver: boolean;
}

/** The mark of a cluster, or undefined where it has none: nobody agreed that anything be installed there. */
export async function readMarker(context: Context): Promise<PlatformMarker | undefined> {
  const namespaces = await context.api().listMetadata('v1', 'Namespace');
  const mark = namespaces.find(isMarker);
  if (!mark || !wasApplied(mark)) return undefined;
  const { annotations = {}, creationTimestamp = '' } = mark.metadata;
  const since = new Date(annotations[sinceAnnotation] ?? creationTimestamp);
  return { repository: annotations[markerAnnotation] ?? '', since, tookOver: sinceAnnotation in annotations };
}

/** Whether the mark says that the platform in this cluster is the one of these settings. */
export function isOurs({ config }: Pick<Context, 'config'>, mark: PlatformMarker | undefined): boolean {
  return mark !== undefined && mark.repository === config.gitops?.repoUrl;
}

/**
 * Says in the cluster that the platform of these settings is wanted there.
 * @param since of what is to be the platform's, the time at which the oldest was made, as Kubernetes writes it
 */
export async function applyMarker(context: Context, since?: string): Promise<void> {
  const kubectl = await context.kubectl();
  const mark = markerFor(context);
  if (since !== undefined) mark.metadata.annotations = { ...mark.metadata.annotations, [sinceAnnotation]: since };
  await kubectl.apply([mark]);
}

/** Takes the mark away again, once nothing is left that it speaks of. */
export async function removeMarker(context: Context): Promise<void> {
  const kubectl = await context.kubectl();
  await kubectl.run(['delete', 'namespace', markerNamespace, '--ignore-not-found', '--wait=true']);
}

/** The mark as an object, as it is to be. */
export function markerFor({ config }: Pick<Context, 'config'>): KubeObject {
  const annotations = { [markerAnnotation]: config.gitops?.repoUrl ?? '' };
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name: markerNamespace, annotations } };
}

/** Whether an object is the mark. */
function isMarker({ kind, metadata }: KubeObject): boolean {
  return kind === 'Namespace' && metadata.name === markerNamespace;
}
