import type { Component } from '../../cluster/component.ts';
import { finishedAt } from '../../cluster/creation.ts';
import { ownerOf, wasApplied } from '../../cluster/ownership.ts';
import { markerFor, territoryOf } from '../../cluster/territory.ts';
import type { Context } from '../../images/context.ts';
import { identityOf, type KubeObject, nameOf } from '../../kubernetes/objects.ts';
import { UsageError } from '../../lib/errors.ts';
import { readRegistrations, servicesNamespace } from '../../repository/applications.ts';
import { wantedCertificates } from '../certificates.ts';
import { componentsFor } from '../index.ts';
import { inCluster } from '../removal.ts';

/** No more than these are named: a whole Argo CD has forty. */
const atMost = 3;
/** What a chart makes under the name of its service. */
const kindsOfService = [
  ['apps/v1', 'Deployment'],
  ['v1', 'Service'],
  ['v1', 'ServiceAccount'],
  ['v1', 'ConfigMap'],
  ['networking.k8s.io/v1', 'Ingress'],
  ['networking.k8s.io/v1', 'NetworkPolicy'],
  ['autoscaling/v2', 'HorizontalPodAutoscaler'],
  ['policy/v1', 'PodDisruptionBudget'],
] as const;

/**
 * Makes sure that `up` overwrites nothing that somebody else made: an Argo CD, an ingress class, a namespace, a Secret.
 * @throws UsageError where the cluster has something under a name that the platform would write to, and that is not its own.
 */
export async function refuseStrangers(
  context: Context,
  components: readonly Component[] = componentsFor(context.config),
): Promise<void> {
  const strangers = await strangersIn(context, components);
  const [first] = strangers;
  if (first === undefined) return;
  const more = strangers.length > atMost ? ` and ${strangers.length - atMost} more` : '';
  const named = strangers.slice(0, atMost).map(nameOf).join(', ') + more;
  const where =
    context.target === undefined
      ? `the cluster ${context.config.clusterName}`
      : `the cluster of the context ${context.kubeContext}`;
  if (strangers.some(({ metadata }) => metadata.name === 'applications.argoproj.io'))
    throw new UsageError(
      `There is an Argo CD in ${where} that platform-ops did not install: ${named}.`,
      'It is left alone. Register the services with it (kubectl apply -n argocd -f argocd/), or name a cluster without one.',
    );
  throw new UsageError(
    `There are objects in ${where} that the platform would overwrite, and that are not its own: ${named}.`,
    'They are left alone. Delete or rename them if nobody needs them, or use another cluster.',
  );
}

async function strangersIn(context: Context, components: readonly Component[]): Promise<KubeObject[]> {
  const [territory, wanted, finished] = await Promise.all([
    territoryOf(context),
    wouldWrite(context, components),
    context.target === undefined ? finishedAt(context) : undefined,
  ]);
  const unique = new Map(wanted.map((object) => [identityOf(object), object]));
  const present = await inCluster(context, [...unique.values()]);
  return present.filter(
    (object) =>
      !wasApplied(object) &&
      !territory.owns(object) &&
      !territory.within(object) &&
      !(finished && ownerOf(object, finished, []).of === 'kubernetes'),
  );
}

/** All that `up` applies, or has Argo CD deploy, as far as it is known before. */
async function wouldWrite(context: Context, components: readonly Component[]): Promise<KubeObject[]> {
  const [lists, certificates, { applications }] = await Promise.all([
    Promise.all(components.map(({ objects }) => objects?.(context) ?? [])),
    wantedCertificates(context),
    readRegistrations(context.config.root),
  ]);
  const secrets = certificates.map(({ namespace, name }) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace, name },
  }));
  const services = applications.flatMap(({ metadata: { name } }) =>
    kindsOfService.map(([apiVersion, kind]) => ({
      apiVersion,
      kind,
      metadata: { namespace: servicesNamespace, name },
    })),
  );
  return [...(context.target === undefined ? [] : [markerFor(context)]), ...lists.flat(), ...secrets, ...services];
}
