import { askIngress } from '../../components/routes.ts';
import { apiSite } from '../../components/services.ts';
import type { Context } from '../../images/context.ts';
import { goodPath, type SentRequest, sendStream } from '../traffic/stream.ts';
import type { DrillOutcome } from './drill.ts';

/** Requests a second: far below the rate that the ingress allows a caller, and little work for the services. */
const rate = 8;
/** Milliseconds after which a request counts as lost: on a machine that is busy otherwise an answer is slow, not lost. */
const timeout = 15_000;

/**
 * Does some work while the API is asked through the ingress all the time, each request on a connection of its own and
 * whether or not the one before was answered. Every answer of api-node has core-go's in it.
 * @param work is given the requests that were answered or lost so far, a list that grows
 * @returns what came of the work, which is held only if no request was lost
 */
export async function withRequests(
  context: Context,
  work: (sent: readonly SentRequest[]) => Promise<DrillOutcome>,
): Promise<DrillOutcome> {
  const site = await apiSite(context);
  const send = (path: string) => askIngress(context, site, path, { timeout });
  const ended = new AbortController();
  const signal = AbortSignal.any([context.signal, ended.signal]);
  const sent: SentRequest[] = [];
  const stream = sendStream({ paths: endless(goodPath), rate, send, signal, sent });
  const outcome = await work(sent).finally(() => {
    ended.abort();
    return stream;
  });
  return judgeRequests(outcome, sent);
}

function* endless<T>(value: T): Generator<T> {
  for (;;) yield value;
}

export function isLost({ status }: SentRequest): boolean {
  return status !== 200;
}

/** Adds to an outcome whether requests were lost. Where none was sent, nothing is known, and nothing is held. */
export function judgeRequests(outcome: DrillOutcome, sent: readonly SentRequest[]): DrillOutcome {
  const lost = sent.filter(isLost);
  const held = outcome.held && sent.length > 0 && lost.length === 0;
  return { ...outcome, held, evidence: `${outcome.evidence}; ${describe(sent, lost)}` };
}

function describe(sent: readonly SentRequest[], lost: readonly SentRequest[]): string {
  if (sent.length === 0) return 'no request was sent, so nothing is known about them';
  if (lost.length > 0) {
    const reasons = new Set(lost.map(({ status, why }) => why ?? `answers ${status}`));
    return `${lost.length} of ${sent.length} requests through the ingress were lost (${[...reasons].slice(0, 2).join('; ')})`;
  }
  const slowest = Math.max(...sent.map(({ milliseconds }) => milliseconds)) / 1000;
  return `all ${sent.length} requests through the ingress were answered, each within ${(Math.ceil(slowest * 10) / 10).toFixed(1)} s`;
}
