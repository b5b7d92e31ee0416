import { applicationNames, isTracked } from '../../cluster/ownership.ts';
import type { Context } from '../../images/context.ts';
import { type KubeObject, nameOf } from '../../kubernetes/objects.ts';
import { applicationApi, servicesNamespace } from '../../repository/applications.ts';
import { comparable } from './comparable.ts';

/** What has to be after a drill as it was before: a text for each thing's name. */
export interface Snapshot {
  /** The commit that is checked out, which a person may change at any time. */
  head: string;
  objects: ReadonlyMap<string, string>;
  nodes: ReadonlyMap<string, string>;
  refs: ReadonlyMap<string, string>;
}

/** What the charts render, or a drill has them render. */
const kinds = [
  ['v1', 'ConfigMap'],
  ['v1', 'Service'],
  ['v1', 'ServiceAccount'],
  ['apps/v1', 'Deployment'],
  ['autoscaling/v2', 'HorizontalPodAutoscaler'],
  ['networking.k8s.io/v1', 'Ingress'],
  ['networking.k8s.io/v1', 'NetworkPolicy'],
  ['policy/v1', 'PodDisruptionBudget'],
] as const;

/** Looks at every object that Argo CD deployed, at the Applications, the nodes, and Git's branches and tags. */
export async function takeSnapshot(context: Context): Promise<Snapshot> {
  const [names, deployed, registered, nodes, refs, checkout] = await Promise.all([
    applicationNames(context),
    Promise.all(kinds.map(([apiVersion, kind]) => context.api().list(apiVersion, kind, servicesNamespace))),
    Promise.all(['Application', 'AppProject'].map((kind) => context.api().list(applicationApi, kind))),
    context.api().list('v1', 'Node'),
    refsOf(context),
    context.checkout('fresh'),
  ]);
  const tracked = deployed.flat().filter((object) => isTracked(object, names));
  const texts = (objects: readonly KubeObject[]) =>
    new Map(objects.map((object) => [nameOf(object), comparable(object, objects)]));
  return {
    head: checkout.head,
    objects: texts([...tracked, ...registered.flat()]),
    nodes: texts(nodes),
    refs,
  };
}

async function refsOf({ exec, config }: Context): Promise<Map<string, string>> {
  const format = '--format=%(refname) %(objectname)';
  const { stdout } = await exec(['git', '-C', config.root, 'for-each-ref', format], { timeout: 20_000 });
  const lines = stdout.split('\n').filter((line) => line !== '');
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]));
}
