import { ask, urlOf } from '../components/routes.ts';
import { apiSite, type Info, isAsked, partOf } from '../components/services.ts';
import type { Context } from '../context.ts';
import { UserError } from '../lib/errors.ts';
import type { KubeObject } from '../lib/objects.ts';
import { servicesNamespace } from '../services.ts';
import type { Answer } from './receipt.ts';
import type { Rollout } from './rollout.ts';

/** The first answer of new pods through the ingress, why there is none yet, or neither of a service without a route. */
export interface Answering {
  answer?: Answer;
  missing?: string;
}

/**
 * Asks a service through the ingress, once. An answer is one of the new pods if it tells the version of their image and
 * the pods before them ran another one; otherwise if only new pods were endpoints when it was asked. Never throws for what
 * does not answer.
 */
export async function askNewPods(context: Context, service: string, rollout: Rollout): Promise<Answering> {
  const site = isAsked(service) ? await apiSite(context).catch(ignoreUserError) : undefined;
  if (!site) return {};
  const others = await otherEndpoints(context, service, rollout);
  const { body, missing } = await ask(context, site, '/info');
  if (missing !== undefined) return { missing };
  const part = partOf(service, infoIn(body));
  const url = `${urlOf(context, site)}/info`;
  if (!part) return { missing: `${url} answers without ${service}'s answer in it` };
  return judge({ url, ...(part.version !== undefined && { version: part.version }) }, rollout, others);
}

/** Whether an answer is one of the new pods. `others` are the endpoints, by name, that are none. */
export function judge(told: Omit<Answer, 'by'>, { image, before }: Rollout, others: readonly string[]): Answering {
  const [tag, earlier] = [tagOf(image), tagOf(before)];
  if (told.version !== undefined && told.version === tag && tag !== earlier)
    return { answer: { ...told, by: 'version' } };
  if (others.length > 0) return { missing: `${told.url} may still be answered by ${others.join(' and ')}` };
  // The ingress learns of endpoints a few seconds after they change.
  if (told.version !== undefined && told.version === earlier && tag !== earlier)
    return { missing: `${told.url} still answers with version ${earlier}` };
  return { answer: { ...told, by: 'endpoints' } };
}

interface EndpointSlice extends KubeObject {
  endpoints?: { conditions?: { ready?: boolean }; targetRef?: { name: string } }[] | null;
}

/** The pods that requests are sent to and that are none of the new ones. */
async function otherEndpoints(context: Context, service: string, { fresh }: Rollout): Promise<string[]> {
  const slices = await context.api().list<EndpointSlice>('discovery.k8s.io/v1', 'EndpointSlice', servicesNamespace);
  const names = slices
    .filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === service)
    .flatMap(({ endpoints }) => endpoints ?? [])
    .flatMap(({ conditions, targetRef }) => (conditions?.ready !== false && targetRef ? [targetRef.name] : []));
  return names.filter((name) => !fresh.some(({ metadata }) => metadata.name === name));
}

function infoIn(body: string): Info {
  try {
    return JSON.parse(body) as Info;
  } catch {
    // No JSON: it has nobody's part in it.
    return {};
  }
}

function tagOf(image: string | undefined): string | undefined {
  return image?.slice(image.lastIndexOf(':') + 1);
}

/** Without a host for it in the values there is no way to ask. */
function ignoreUserError(error: unknown): undefined {
  if (error instanceof UserError) return undefined;
  throw error;
}
