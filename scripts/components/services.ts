import type { Context } from '../context.ts';
import { ApiError } from '../lib/api.ts';
import { isReady, missingOf, type Pod, type Workload } from '../lib/workloads.ts';
import { imagesAtHead, servicesNamespace } from '../services.ts';
import { targetsUp } from '../targets.ts';
import type { Component } from './component.ts';
import { ask, urlOf } from './routes.ts';
import { untilReady } from './until-ready.ts';

/** The host on which the ingress exposes the API, as values-dev.yaml has it. */
export const apiHost = 'api.localhost';

/**
 * The proof that all of it works together, and what `up` is done with: the services run the images that Git names,
 * api-node answers through the ingress with core-go's answer in it, and Prometheus sees every pod. Installs nothing.
 */
export const services: Component = {
  name: 'services',
  needs: ['applications', 'prometheus', 'routes'],

  async status(context) {
    const missing = await lacking(context);
    return missing === undefined
      ? { state: 'ready', detail: `${urlOf(context, apiHost)}/info answers` }
      : { state: 'unready', missing };
  },

  async apply(context) {
    const objects = [...(await deployments(context)).values()];
    await untilReady(context, { objects, look: () => lacking(context) });
    return { changed: [], detail: `${urlOf(context, apiHost)}/info answers` };
  },
};

async function deployments(context: Context): Promise<Map<string, Workload>> {
  const all = await context.view().list<Workload>('apps/v1', 'Deployment');
  return new Map(
    all.filter(({ metadata }) => metadata.namespace === servicesNamespace).map((one) => [one.metadata.name, one]),
  );
}

async function lacking(context: Context): Promise<string | undefined> {
  return (await notRunning(context)) ?? (await notAnswering(context)) ?? (await notScraped(context));
}

/** A Deployment that is missing, not rolled out, or runs another image than the values at the checked-out commit name. */
async function notRunning(context: Context): Promise<string | undefined> {
  const [images, present] = await Promise.all([imagesAtHead(context), deployments(context)]);
  for (const [service, image] of images) {
    const deployment = present.get(service);
    if (!deployment) return `Deployment ${servicesNamespace}/${service} is missing`;
    const missing = missingOf(deployment);
    if (missing !== undefined) return `Deployment ${servicesNamespace}/${service}: ${missing}`;
    // What a GitOps repository elsewhere names may differ from this checkout, and then decides.
    if (context.config.gitops) continue;
    const pods = (await context.view().podsOf(deployment)).filter(isReady);
    const other = pods
      .flatMap(({ spec }) => spec.containers)
      .find((container) => container.name === service && container.image !== image);
    if (other) return `Deployment ${servicesNamespace}/${service} runs ${other.image}, not ${image}`;
  }
  return undefined;
}

async function notAnswering(context: Context): Promise<string | undefined> {
  const { body, missing } = await ask(context, apiHost, '/info');
  if (missing !== undefined) return missing;
  try {
    const { upstream } = JSON.parse(body) as { upstream?: { service?: string } };
    if (upstream?.service === 'core-go') return undefined;
  } catch {
    // Not JSON: said below.
  }
  return `${urlOf(context, apiHost)}/info answers without core-go's answer in it`;
}

/** Every running pod of the services has to be a target that is up. */
async function notScraped(context: Context): Promise<string | undefined> {
  const [images, present] = await Promise.all([imagesAtHead(context), deployments(context)]);
  const wanted = [...images.keys()].flatMap((service) => present.get(service) ?? []);
  const pods = (await Promise.all(wanted.map((deployment) => context.view().podsOf(deployment))))
    .flat()
    .filter(isReady);
  try {
    const up = await targetsUp(context);
    const unseen = pods.find(({ metadata }) => !up.has(metadata.name));
    return unseen && `Prometheus does not see the pod ${nameOf(unseen)} up`;
  } catch (error) {
    if (error instanceof ApiError) return `Prometheus does not answer: ${error.message}`;
    throw error;
  }
}

function nameOf({ metadata }: Pod): string {
  return `${metadata.namespace}/${metadata.name}`;
}
