import { askIngress, siteUrl } from '../../components/routes.ts';
import { apiSite, hasRoute, infoOf, type ServiceInfo } from '../../components/services.ts';
import type { Context } from '../../images/context.ts';
import type { EndpointSlice } from '../../kubernetes/types.ts';
import { UserError } from '../../lib/errors.ts';
import { servicesNamespace } from '../../repository/applications.ts';
import type { IngressAnswer } from './report.ts';
import type { Rollout } from './rollout.ts';

/** The first answer of new pods through the ingress, why there is none yet, or neither of a service without a route. */
export interface AnswerResult {
  answer?: IngressAnswer;
  missing?: string;
}

/**
 * Asks a service through the ingress, once. An answer is one of the new pods if it tells the version of their image and
 * the pods before them ran another one; otherwise if only new pods were endpoints when it was asked. Never throws for what
 * does not answer.
 */
export async function askNewPods(context: Context, service: string, rollout: Rollout): Promise<AnswerResult> {
  const site = hasRoute(service) ? await apiSite(context).catch(ignoreUserError) : undefined;
  if (!site) return {};
  const others = await otherPods(context, service, rollout);
  const { body, missing } = await askIngress(context, site, '/info');
  if (missing !== undefined) return { missing };
  const part = infoOf(service, infoIn(body));
  const url = `${siteUrl(context, site)}/info`;
  if (!part) return { missing: `${url} answers without ${service}'s answer in it` };
  return judgeAnswer({ url, ...(part.version !== undefined && { version: part.version }) }, rollout, others);
}

/** Pods behind a service that are none of the new ones, by name. */
interface OtherPods {
  /** Requests are sent to these. */
  endpoints: readonly string[];
  /** These were told to stop, and until they do, answer on connections that are kept open. */
  draining: readonly string[];
}

/** Whether an answer is one of the new pods. */
export function judgeAnswer(
  told: Pick<IngressAnswer, 'url' | 'version'>,
  { image, before }: Rollout,
  others: OtherPods,
): AnswerResult {
  const [tag, earlier] = [tagOf(image), tagOf(before)];
  const { endpoints, draining } = others;
  const leaving = draining.length > 0 && { draining: draining.length };
  if (told.version !== undefined && told.version === tag && tag !== earlier)
    return { answer: { ...told, by: 'version', ...leaving } };
  if (endpoints.length > 0) return { missing: `${told.url} may still be answered by ${endpoints.join(' and ')}` };
  // The ingress learns of endpoints a few seconds after they change.
  if (told.version !== undefined && told.version === earlier && tag !== earlier)
    return { missing: `${told.url} still answers with version ${earlier}` };
  return { answer: { ...told, by: 'endpoints', ...leaving } };
}

async function otherPods(context: Context, service: string, { fresh }: Rollout): Promise<OtherPods> {
  const slices = await context.api().list<EndpointSlice>('discovery.k8s.io/v1', 'EndpointSlice', servicesNamespace);
  const others = slices
    .filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === service)
    .flatMap(({ endpoints }) => endpoints ?? [])
    .filter(({ targetRef }) => !fresh.some(({ metadata }) => metadata.name === targetRef?.name));
  const isReady = ({ conditions }: (typeof others)[number]) => conditions?.ready !== false;
  const names = (chosen: typeof others) => chosen.flatMap(({ targetRef }) => targetRef?.name ?? []);
  return {
    endpoints: names(others.filter(isReady)),
    draining: names(others.filter((one) => !isReady(one) && one.conditions?.serving !== false)),
  };
}

function infoIn(body: string): ServiceInfo {
  try {
    return JSON.parse(body) as ServiceInfo;
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
