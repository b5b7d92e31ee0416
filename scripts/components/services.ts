import type { Component } from '../cluster/component.ts';
import type { Context } from '../images/context.ts';
import { ApiError } from '../kubernetes/api/api.ts';
import type { HorizontalPodAutoscaler, Pod, Workload } from '../kubernetes/types.ts';
import { waitForReady } from '../kubernetes/waiting/ready.ts';
import { isOfService, isStaying, missingOf } from '../kubernetes/workloads.ts';
import { UserError } from '../lib/errors.ts';
import { jsonIn } from '../lib/text.ts';
import { servicesNamespace } from '../repository/applications.ts';
import { imagesAtHead, ingressesAtHead } from '../repository/committed-values.ts';
import { podDown, podNotUp } from './prometheus-client.ts';
import { askIngress, type Site, siteUrl } from './routes.ts';
import { bringImages } from './service-images.ts';

/** The service that the ingress exposes. */
const apiService = 'api-node';
/** The one that it asks, and whose answer is in its own. */
const upstreamService = 'core-go';

/** What the API answers to /info: the stand-ins tell versions, the tags of their images; other programs need not. */
interface ServiceInfo {
  service?: string;
  version?: string;
  upstream?: { service?: string; version?: string };
}

/** What a service says of itself in the API's answer; undefined of one that has no part in it. */
export function infoOf(service: string, answer: string): Omit<ServiceInfo, 'upstream'> | undefined {
  const info = jsonIn<ServiceInfo>(answer);
  if (service === apiService) return info;
  return service === upstreamService ? info.upstream : undefined;
}

/** Whether the API's answer has a part of the service in it. */
export function hasRoute(service: string): boolean {
  return service === apiService || service === upstreamService;
}

/**
 * Where the ingress exposes the API, as the values of this environment have it at the checked-out commit. Throws a
 * `UserError` where they name no host.
 */
export async function apiSite(context: Context): Promise<Site> {
  const ingress = (await ingressesAtHead(context)).find(({ service }) => service === apiService);
  const [host] = ingress?.hosts ?? [];
  if (host === undefined) {
    throw new UserError(
      `The values of ${apiService} for ENVIRONMENT=${context.config.environment} name no host for its Ingress.`,
      {
        id: 'values-invalid',
        hint: `Commit a helm/${apiService}/values-${context.config.environment}.yaml that has ingress.hosts.`,
      },
    );
  }
  const name = ingress?.tls.find(({ hosts }) => hosts.includes(host))?.secretName;
  return { host, secret: name === undefined ? undefined : { namespace: servicesNamespace, name } };
}

/**
 * The proof that all of it works together, and what `up` is done with: the services run the images that Git names,
 * api-node answers through the ingress with core-go's answer in it, and Prometheus sees every pod. Installs nothing.
 */
export const services: Component = {
  name: 'services',
  needs: ['applications', 'prometheus', 'routes'],

  async status(context) {
    const missing = await missingOfServices(context);
    return missing === undefined
      ? { state: 'ready', detail: await answerDetail(context) }
      : { state: 'unready', missing };
  },

  async apply(context) {
    const objects = await deployments(context);
    // A program that has just started may have missed its first scrape. `status` right after this would call it down.
    const look = async () => (await missingOfServices(context)) ?? (await podDown(context));
    await waitForReady(context, { objects: () => objects, look, bringImages: () => bringImages(context) });
    return { changed: [], detail: await answerDetail(context) };
  },
};

async function answerDetail(context: Context): Promise<string> {
  return `${siteUrl(context, await apiSite(context))}/info answers`;
}

async function deployments(context: Context): Promise<Workload[]> {
  const all = await context.view().list<Workload>('apps/v1', 'Deployment');
  return all.filter(({ metadata }) => metadata.namespace === servicesNamespace);
}

async function missingOfServices(context: Context): Promise<string | undefined> {
  return (await notRunning(context)) ?? (await notAnswering(context)) ?? (await notScraped(context));
}

/** A Deployment that is missing, not rolled out, or runs another image than the values at the checked-out commit name. */
async function notRunning(context: Context): Promise<string | undefined> {
  const [images, present] = await Promise.all([imagesAtHead(context), deployments(context)]);
  for (const [service, image] of images) {
    const title = `Deployment ${servicesNamespace}/${service}`;
    const deployment = present.find(isOfService(service));
    if (!deployment) return `${title} is missing`;
    const missing = missingOf(deployment);
    if (missing !== undefined) return `${title}: ${missing}`;
    const few = await tooFewPods(context, deployment);
    if (few !== undefined) return `${title} ${few}`;
    // What a GitOps repository elsewhere names may differ from this checkout, and then decides.
    if (context.config.gitops) continue;
    const pods = (await context.view().podsOf(deployment)).filter(isStaying);
    const other = pods
      .flatMap(({ spec }) => spec.containers)
      .find((container) => container.name === service && container.image !== image);
    if (other) return `${title} runs ${other.image}, not ${image}`;
  }
  return undefined;
}

/** A new Deployment has one pod. Its autoscaler raises that to the least number of pods a few seconds later. */
async function tooFewPods(context: Context, { metadata, spec }: Workload): Promise<string | undefined> {
  const autoscalers = await context.view().list<HorizontalPodAutoscaler>('autoscaling/v2', 'HorizontalPodAutoscaler');
  const autoscaler = autoscalers.find(
    (one) => one.metadata.namespace === metadata.namespace && one.spec.scaleTargetRef.name === metadata.name,
  );
  const least = autoscaler?.spec.minReplicas ?? 0;
  const { replicas = 1 } = spec as { replicas?: number };
  // Somebody who scales to zero by hand switches the autoscaler off, and wants none.
  if (replicas >= least || replicas === 0) return undefined;
  return `has ${replicas} pods, its autoscaler wants ${least} at least`;
}

async function notAnswering(context: Context): Promise<string | undefined> {
  const site = await apiSite(context);
  const { body, missing } = await askIngress(context, site, '/info');
  if (missing !== undefined) return missing;
  if (infoOf(upstreamService, body)?.service === upstreamService) return undefined;
  return `${siteUrl(context, site)}/info answers without core-go's answer in it`;
}

/** Every running pod of the services has to be a target that is up. */
async function notScraped(context: Context): Promise<string | undefined> {
  const [images, present] = await Promise.all([imagesAtHead(context), deployments(context)]);
  const wanted = [...images.keys()].flatMap((service) => present.find(isOfService(service)) ?? []);
  const pods = (await Promise.all(wanted.map((deployment) => context.view().podsOf(deployment))))
    .flat()
    .filter(isStaying);
  return unscraped(context, pods);
}

/** The first of the pods that Prometheus has not scraped with success, or that it doesn't answer: as a sentence. */
export async function unscraped(context: Context, pods: readonly Pod[]): Promise<string | undefined> {
  try {
    return await podNotUp(context, pods);
  } catch (error) {
    if (error instanceof ApiError && error.status !== 403) return `Prometheus does not answer: ${error.message}`;
    throw error;
  }
}
