import type { Component } from '../cluster/component.ts';
import { finishedAt } from '../cluster/creation.ts';
import { assertClusterAdmin, describeTarget } from '../cluster/existing-cluster.ts';
import { ownerOf, wasApplied } from '../cluster/ownership.ts';
import { applyMarker, markerFor, readMarker, territoryOf } from '../cluster/territory.ts';
import { noRepository } from '../config/config.ts';
import type { Context } from '../images/context.ts';
import { ghcrHost, publicEndpoints } from '../images/credentials/token-check.ts';
import { createRegistry, parseImage } from '../images/registry.ts';
import { identityOf, type KubeObject, nameOf } from '../kubernetes/objects.ts';
import { UsageError, UserError } from '../lib/errors.ts';
import { Unanswered } from '../lib/http/fetch.ts';
import { askWhether, type Terminal } from '../lib/terminal/prompt.ts';
import { namespaceOf } from '../repository/applications.ts';
import { imagesAtHead } from '../repository/committed-values.ts';
import { readServiceApplications } from '../repository/registrations.ts';
import { wantedCertificates } from './certificates.ts';
import { componentsFor } from './index.ts';
import { hasForeignPullSecret } from './pull-secret.ts';
import { inCluster } from './removal.ts';
import { type Adoption, adopt, adoptionLines, findAdoptions, oldestOf, withoutAdopted } from './take-over.ts';

interface ConfirmOptions {
  /** Where you can be asked, if anywhere. */
  terminal: Terminal | undefined;
  /** Whether you said already that it is meant. */
  yes: boolean;
  say(line: string): void;
}

/**
 * Says which cluster everything is about to be applied to, and makes sure that it is meant. You are asked once for a cluster;
 * afterwards a mark in it says so.
 * @throws UsageError before anything is changed there; UserError where the answer was no.
 */
export async function confirmTarget(context: Context, { terminal, yes, say }: ConfirmOptions): Promise<void> {
  const { where, isKnown, adoptions } = await assertTargetFits(context, say);
  // Agreed to before, and interrupted.
  if (isKnown) return adopt(context, adoptions);
  if (!yes && !terminal)
    throw new UsageError(`Installing into ${where} needs confirmation, and this is not an interactive terminal.`, {
      id: 'target-not-agreed',
      hint: 'Pass --yes if that is the cluster which is meant: npm run up -- --yes',
    });
  if (!yes && terminal && !(await askWhether(terminal, `Install the platform into ${where}?`)))
    throw new UserError(`Nothing was changed in the cluster of the context ${context.kubeContext}.`, {
      id: 'target-not-agreed',
      hint: 'TARGET_CONTEXT in .env names the cluster; without it, npm run up makes one of kind.',
    });
  await applyMarker(context, oldestOf(adoptions));
  await adopt(context, adoptions);
}

/**
 * Makes sure that everything can be applied to a cluster that others run: that nothing of somebody else's would be overwritten,
 * that the login may do it, that the services' images can be pulled. Changes nothing.
 * @returns what cluster that is, whether it has the mark, and what of it is taken over.
 * @throws UsageError where it can't be.
 */
export async function assertTargetFits(context: Context, say: (line: string) => void) {
  const where = await describeTarget(context);
  say(`Everything is to be applied to ${where}.`);
  const isKnown = (await readMarker(context)) !== undefined;
  await assertClusterAdmin(context);
  const adoptions = await findAdoptions(context);
  const follows = adoptions.some(({ present }) => present.some(({ kind }) => kind === 'Application'));
  // Applications that are there as `argocd/` has them say it.
  if (!isKnown && context.config.isRepositoryAssumed && !follows) throw noRepository(context.target ?? '');
  await assertNoForeignObjects(context, undefined, adoptions);
  await assertImagesPullable(context, say);
  for (const line of adoptionLines(adoptions)) say(line);
  return { where, isKnown, adoptions };
}

/**
 * Makes sure that a cluster elsewhere gets the services' images: by a token, by a pull secret that its people put there, or
 * because anybody may pull them. Stand-ins are built on this machine, and can't be had there. Other registries than GHCR
 * may know the nodes themselves. Throws a `UsageError`.
 */
async function assertImagesPullable(context: Context, say: (line: string) => void): Promise<void> {
  if ((await context.credentials.account()) || (await hasForeignPullSecret(context))) return;
  const images = [...(await imagesAtHead(context)).values()];
  const client = createRegistry({ origin: publicEndpoints.ghcr, signal: context.signal });
  for (const image of images) {
    const { registry: host, repository, reference } = parseImage(image);
    if (host !== ghcrHost) continue;
    try {
      if ((await client.look(repository, reference)).state === 'found') continue;
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
      say(`! Not looked whether the cluster can pull ${image} without a token: ${error.message}.`);
      continue;
    }
    throw new UsageError(
      `The cluster of the context ${context.kubeContext} can't pull ${image} without a token, and stand-ins can't be put into its nodes.`,
      {
        id: 'target-images',
        hint: 'npm run credentials saves a token that reads the images; or put a pull secret ghcr-cred into the namespaces of the services in that cluster.',
      },
    );
  }
}

/** No more than these are named: a whole Argo CD has forty. */
const maxNamed = 3;
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
 * Makes sure that `up` overwrites nothing that somebody else made: an Argo CD, an ingress class, a namespace, a Secret. What it
 * takes over is not somebody else's.
 * @throws UsageError where the cluster has something under a name that the platform would write to, and that is not its own.
 */
export async function assertNoForeignObjects(
  context: Context,
  components: readonly Component[] = componentsFor(context.config),
  adoptions: readonly Adoption[] = [],
): Promise<void> {
  const strangers = withoutAdopted(await foreignObjects(context, components), adoptions);
  if (strangers.length === 0) return;
  const more = strangers.length > maxNamed ? ` and ${strangers.length - maxNamed} more` : '';
  const named = strangers.slice(0, maxNamed).map(nameOf).join(', ') + more;
  const { target, config, kubeContext } = context;
  const where =
    target === undefined ? `the cluster ${config.clusterName}` : `the cluster of the context ${kubeContext}`;
  const [sentence, hint] = strangers.some(({ metadata }) => metadata.name === 'applications.argoproj.io')
    ? [
        `There is an Argo CD in ${where} that platform-ops did not install: ${named}.`,
        'It is left alone. Register the services with it (kubectl apply -n argocd -f argocd/), or name a cluster without one.',
      ]
    : [
        `There are objects in ${where} that the platform would overwrite, and that are not its own: ${named}.`,
        'They are left alone. Delete or rename them if nothing needs them, or use another cluster.',
      ];
  throw new UsageError(sentence, { id: 'target-strangers', hint });
}

async function foreignObjects(context: Context, components: readonly Component[]): Promise<KubeObject[]> {
  const [territory, wanted, finished] = await Promise.all([
    territoryOf(context),
    objectsToWrite(context, components),
    context.target === undefined ? finishedAt(context) : undefined,
  ]);
  const unique = new Map(wanted.map((object) => [identityOf(object), object]));
  const present = await inCluster(context, [...unique.values()]);
  return present.filter(
    (object) =>
      !wasApplied(object) &&
      !territory.owns(object) &&
      !territory.within(object) &&
      !(finished && ownerOf(object, { territory, claims: [], finished }).of === 'kubernetes'),
  );
}

/** All that `up` applies, or has Argo CD deploy, as far as it is known before. */
async function objectsToWrite(context: Context, components: readonly Component[]): Promise<KubeObject[]> {
  const [lists, certificates, applications] = await Promise.all([
    Promise.all(components.map(({ objects }) => objects?.(context) ?? [])),
    wantedCertificates(context),
    readServiceApplications(context),
  ]);
  const secrets = certificates.map(({ namespace, name }) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace, name },
  }));
  const services = applications.flatMap(({ metadata: { name }, spec }) =>
    kindsOfService.map(([apiVersion, kind]) => ({
      apiVersion,
      kind,
      metadata: { namespace: namespaceOf({ spec }), name },
    })),
  );
  return [...(context.target === undefined ? [] : [markerFor(context)]), ...lists.flat(), ...secrets, ...services];
}
