import type { Context } from '../../images/context.ts';
import { groupOf, type KubeObject } from '../../kubernetes/objects.ts';
import { isUnwritten, wasApplied } from '../ownership.ts';
import { applicationNames, isTracked } from '../tracking.ts';
import { isMark, readMark } from './mark.ts';

/** What of a cluster is the platform's. */
export interface Territory {
  /** The namespaces that it brought. */
  namespaces: ReadonlySet<string>;
  /** Whether it is in a namespace of the platform's, or of a kind that the platform brought: nobody else keeps anything there. */
  within(object: KubeObject): boolean;
  /** Whether it is the platform's: applied by `up`, deployed by its Argo CD, or within what it brought, and no older than it. */
  owns(object: KubeObject): boolean;
  /** Whether it runs, or ran, for one of the platform's Applications, by the labels of its charts: its Deployment may be gone. */
  ranFor(object: KubeObject): boolean;
}

/**
 * Asks the cluster what is the platform's there. Nothing may be removed or overwritten by its name alone, which somebody
 * may have given to something of theirs, on a cluster of kind as well.
 */
export async function territoryOf(context: Context): Promise<Territory> {
  const [mark, namespaces, definitions, applications] = await Promise.all([
    readMark(context),
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
      objects.filter((one) => wasApplied(one) && younger(one) && !isMark(one)).map(({ metadata }) => metadata.name),
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
      !isMark(object) &&
      (wasApplied(object) || within(object) || isTracked(object, applications) || isBare(object)),
    ranFor: (object) => younger(object) && isLabelled(object.metadata),
  };
}
