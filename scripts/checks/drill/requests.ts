import { setTimeout as sleep } from 'node:timers/promises';
import { askIngress } from '../../components/routes.ts';
import { apiSite } from '../../components/services.ts';
import type { Context } from '../../images/context.ts';

/** What became of requests that came steadily. */
export interface RequestStatistics {
  asked: number;
  /** Why each of the others got no 200. */
  lost: string[];
  /** Seconds that the slowest answer took. */
  slowest: number;
}

/** Requests a second: far below the rate that the ingress allows a caller, and little work for the services. */
const requestsPerSecond = 8;
/** Milliseconds after which a request counts as lost: on a machine that is busy otherwise an answer is slow, not lost. */
const requestTimeoutMs = 15_000;

/**
 * Does some work while the API is asked through the ingress all the time, each request on a connection of its own and
 * whether or not the one before was answered. Every answer of api-node has core-go's in it.
 */
export async function withRequests<T>(
  context: Context,
  work: (answers: Readonly<RequestStatistics>) => Promise<T>,
): Promise<{ result: T; answers: RequestStatistics }> {
  const site = await apiSite(context);
  const answers: RequestStatistics = { asked: 0, lost: [], slowest: 0 };
  const ended = new AbortController();
  const one = async () => {
    const started = performance.now();
    const { missing } = await askIngress(context, site, '/info', { timeout: requestTimeoutMs });
    answers.asked += 1;
    if (missing !== undefined) answers.lost.push(missing);
    else answers.slowest = Math.max(answers.slowest, (performance.now() - started) / 1000);
  };
  const stream = (async () => {
    const open = new Set<Promise<void>>();
    while (!ended.signal.aborted && !context.signal.aborted) {
      // Only an interruption throws, and the work throws that as well.
      const request: Promise<void> = one()
        .catch(() => {})
        .finally(() => open.delete(request));
      open.add(request);
      await sleep(1000 / requestsPerSecond);
    }
    await Promise.all(open);
  })();
  const result = await work(answers).finally(async () => {
    ended.abort();
    await stream;
  });
  return { result, answers };
}

/** Whether requests were sent and every one of them was answered: where none was sent, nothing is known. */
export function allAnswered({ asked, lost }: RequestStatistics): boolean {
  return asked > 0 && lost.length === 0;
}

/** Whether requests were lost, in words. */
export function describeLosses({ asked, lost, slowest }: RequestStatistics): string {
  if (asked === 0) return 'no request was sent, so nothing is known about them';
  if (lost.length === 0)
    return `all ${asked} requests through the ingress were answered, each within ${(Math.ceil(slowest * 10) / 10).toFixed(1)} s`;
  const reasons = [...new Set(lost)];
  return `${lost.length} of ${asked} requests through the ingress were lost (${reasons.slice(0, 2).join('; ')})`;
}
