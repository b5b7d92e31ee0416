import type { Component } from '../cluster/component.ts';
import type { Context } from '../images/context.ts';
import { ApiError } from '../kubernetes/api/api.ts';
import { nameOf } from '../kubernetes/objects.ts';
import type { HorizontalPodAutoscaler, Pod, Workload } from '../kubernetes/types.ts';
import { waitForReady } from '../kubernetes/waiting/ready.ts';
import { isStaying, missingOf } from '../kubernetes/workloads.ts';
import { UserError } from '../lib/errors.ts';
import { jsonIn } from '../lib/text.ts';
import { type Application, applicationsOf, deploymentOf } from '../repository/applications.ts';
import {
  imagesAtHead,
  ingressesAtHead,
  type ServiceAtHead,
  type ServiceIngress,
  servicesAtHead,
} from '../repository/committed-values.ts';
import { podDown, podNotUp } from './prometheus-client.ts';
import { askIngress, type Site, siteUrl } from './routes.ts';
import { bringImages } from './service-images.ts';

/** What the API answers to /info: the stand-ins tell versions, the tags of their images; other programs need not. */
interface ServiceInfo {
  service?: string;
  version?: string;
  upstream?: { service?: string; version?: string };
}

/** What the API says of itself in its answer, or of the one service that it calls. */
export function infoOf(part: 'itself' | 'upstream', answer: string): Omit<ServiceInfo, 'upstream'> | undefined {
  const info = jsonIn<ServiceInfo>(answer);
  return part === 'itself' ? info : info.upstream;
}

/** The program that answers with what the service that it calls has answered. Others may keep that to themselves. */
const programWithUpstream = 'api-node';

/** The service that the ingress exposes. */
export interface ApiSite extends Site {
  service: string;
  namespace: string;
  /** The name of its program, as `servicesAtHead` has it. */
  program: string | undefined;
  /** The service that it calls, whose answer is then in its own; undefined where it calls none, or more than one. */
  upstream: string | undefined;
}

/**
 * Where the ingress exposes the API, as the values of this environment have it at the checked-out commit: of several services
 * with an Ingress, the one whose host begins with `api.`, or else the first.
 * @returns undefined where no service has an Ingress.
 * @throws UserError where one has an Ingress and no host.
 */
export async function findApiSite(context: Context): Promise<ApiSite | undefined> {
  const [ingresses, services] = await Promise.all([ingressesAtHead(context), servicesAtHead(context)]);
  const ingress = ingresses.find(({ hosts }) => hosts.some((host) => host.startsWith('api.'))) ?? ingresses[0];
  if (ingress === undefined) return undefined;
  const { service, namespace, hosts, tls } = ingress;
  const [host] = hosts;
  if (host === undefined) throw noHost(context, ingress, services);
  const name = tls.find((one) => one.hosts.includes(host))?.secretName;
  const { calls = [], program } = services.find((one) => one.name === service) ?? {};
  return {
    ...{ service, namespace, program, host, upstream: calls.length === 1 ? calls[0] : undefined },
    secret: name === undefined ? undefined : { namespace, name },
  };
}

/** The same. Throws a `UserError` where no service has an Ingress as well. */
export async function apiSite(context: Context): Promise<ApiSite> {
  const site = await findApiSite(context);
  if (site) return site;
  throw new UserError(`No service has an Ingress for ENVIRONMENT=${context.config.environment}.`, {
    id: 'values-invalid',
    hint: 'Commit ingress.enabled and ingress.hosts in the values of the one that clients ask.',
  });
}

function noHost({ config }: Context, { service }: ServiceIngress, services: readonly ServiceAtHead[]): UserError {
  const path = services.find(({ name }) => name === service)?.path;
  return new UserError(`The values of ${service} for ENVIRONMENT=${config.environment} name no host for its Ingress.`, {
    id: 'values-invalid',
    hint: `Commit a ${path}/values-${config.environment}.yaml that has ingress.hosts.`,
  });
}

/**
 * The proof that all of it works together, and what `up` is done with: the services run the images that Git names, the one
 * behind the ingress answers, and Prometheus sees every pod. Installs nothing.
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
    const objects = [...(await serviceDeployments(context)).values()];
    // A program that has just started may have missed its first scrape. `status` right after this would call it down.
    const look = async () => (await missingOfServices(context)) ?? (await podDown(context));
    await waitForReady(context, { objects: () => objects, look, bringImages: () => bringImages(context) });
    return { changed: [], detail: await answerDetail(context) };
  },
};

async function answerDetail(context: Context): Promise<string | undefined> {
  const site = await findApiSite(context);
  return site && `${siteUrl(context, site)}/info answers`;
}

/** The Deployments of the Applications, by the Application's name. */
export async function serviceDeployments(context: Context): Promise<Map<string, Workload>> {
  const [applications, all] = await Promise.all([
    applicationsOf(context),
    context.view().list<Workload>('apps/v1', 'Deployment'),
  ]);
  return new Map(
    applications.flatMap((application) => {
      const deployment = deploymentOf(application, all);
      return deployment === undefined ? [] : [[application.metadata.name, deployment]];
    }),
  );
}

async function missingOfServices(context: Context): Promise<string | undefined> {
  return (await notRunning(context)) ?? (await notAnswering(context)) ?? (await notScraped(context));
}

/** A Deployment that is missing, not rolled out, or runs another image than the values at the checked-out commit name. */
async function notRunning(context: Context): Promise<string | undefined> {
  const [services, images, present, applications] = await Promise.all([
    servicesAtHead(context),
    imagesAtHead(context),
    serviceDeployments(context),
    applicationsOf(context),
  ]);
  for (const { name: service, namespace } of services) {
    const deployment = present.get(service);
    if (!deployment) {
      // Argo CD says of a chart of another kind whether it is healthy.
      if (applications.some((one) => one.metadata.name === service && hasNoDeployment(one))) continue;
      return `Deployment ${namespace}/${service} is missing`;
    }
    const title = nameOf({ ...deployment, kind: 'Deployment' });
    const missing = missingOf(deployment);
    if (missing !== undefined) return `${title}: ${missing}`;
    const few = await tooFewPods(context, deployment);
    if (few !== undefined) return `${title} ${few}`;
    // What a GitOps repository elsewhere names may differ from this checkout, and then decides.
    const image = images.get(service);
    if (context.config.gitops || image === undefined) continue;
    const pods = (await context.view().podsOf(deployment)).filter(isStaying);
    const other = pods
      .flatMap(({ spec }) => spec.containers)
      .find((container) => container.name === service && container.image !== image);
    if (other) return `${title} runs ${other.image}, not ${image}`;
  }
  return undefined;
}

/** Whether all that an Application deploys is known, and no Deployment is among it. */
function hasNoDeployment({ status }: Application): boolean {
  const { sync, resources = [] } = status ?? {};
  return sync?.status === 'Synced' && resources.length > 0 && !resources.some(({ kind }) => kind === 'Deployment');
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
  const site = await findApiSite(context);
  if (!site) return undefined;
  const { body, missing } = await askIngress(context, site, '/info');
  return missing ?? missingPart(context, site, body);
}

/** Why an answer of the API to /info is not whole, as a sentence: the one that it calls has to have answered as well. */
export function missingPart(context: Context, site: ApiSite, answer: string): string | undefined {
  const { program, upstream } = site;
  if (program !== programWithUpstream || !upstream || infoOf('upstream', answer)?.service) return undefined;
  return `${siteUrl(context, site)}/info answers without ${upstream}'s answer in it`;
}

/** Whether a pod says that it is to be scraped: Prometheus keeps those with this label. */
export function isMonitored({ metadata }: Pod): boolean {
  return metadata.labels?.['app.kubernetes.io/part-of'] === 'platform';
}

/** Every running pod of the services has to be a target that is up, unless a chart written by hand doesn't offer it. */
async function notScraped(context: Context): Promise<string | undefined> {
  const [services, present] = await Promise.all([servicesAtHead(context), serviceDeployments(context)]);
  const wanted = services.flatMap(({ name }) => present.get(name) ?? []);
  const pods = (await Promise.all(wanted.map((deployment) => context.view().podsOf(deployment))))
    .flat()
    .filter((pod) => isStaying(pod) && isMonitored(pod));
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
