import { setTimeout as sleep } from 'node:timers/promises';
import { Interrupted, messageOf } from '../../lib/errors.ts';
import { limitConcurrency } from '../../lib/tasks.ts';
import { requestPath, type TrafficPlan } from './plan.ts';

/** What became of a request. */
interface SentRequest {
  path: string;
  /** Undefined where there was no answer. */
  status: number | undefined;
  /** Why there was none. */
  why?: string;
  /** From the moment that it was due, so that a slow server can't hide by being asked less often. */
  milliseconds: number;
}

export interface StreamResult {
  sent: SentRequest[];
  seconds: number;
  interrupted: boolean;
}

/** Requests that wait for their answers at the same time, at most: a server that hangs is not buried. */
const maxOpenRequests = 50;

/**
 * Sends what the plan says at its steady pace, and waits for the last answers. Once the signal fires it sends no more, and
 * returns what there is. `send` returns the status, and throws where there is no answer.
 */
export async function sendStream(
  plan: TrafficPlan,
  send: (path: string) => Promise<number>,
  signal: AbortSignal,
): Promise<StreamResult> {
  const started = performance.now();
  const sent: SentRequest[] = [];
  const limited = limitConcurrency(maxOpenRequests);
  const running: Promise<void>[] = [];
  for (let index = 0; index < plan.seconds * plan.rate && !signal.aborted; index += 1) {
    const due = started + (index * 1000) / plan.rate;
    await sleep(Math.max(due - performance.now(), 0), undefined, { signal }).catch(() => {});
    if (signal.aborted) break;
    const path = requestPath(index, plan);
    running.push(
      limited(async () => {
        const result = await sendRequest(path, send);
        if (result) sent.push({ ...result, milliseconds: performance.now() - due });
      }),
    );
  }
  await Promise.all(running);
  return { sent, seconds: (performance.now() - started) / 1000, interrupted: signal.aborted };
}

/** Nothing for one that was cut off by Ctrl-C: that says nothing about the server. */
async function sendRequest(
  path: string,
  send: (path: string) => Promise<number>,
): Promise<Omit<SentRequest, 'milliseconds'> | undefined> {
  try {
    return { path, status: await send(path) };
  } catch (error) {
    return error instanceof Interrupted ? undefined : { path, status: undefined, why: messageOf(error) };
  }
}

/** How a stream went. */
export interface StreamStatistics {
  requests: number;
  /** By path and status, or why there was none; the most frequent first. */
  answers: { path: string; status: number | undefined; why?: string; count: number }[];
  /** Milliseconds until the answer, of those that were answered; none where nothing was. */
  latency: { p50: number; p90: number; p95: number; p99: number; max: number } | undefined;
}

/** Counts, and measures. */
export function statisticsOf(sent: readonly SentRequest[]): StreamStatistics {
  const groups = new Map<string, StreamStatistics['answers'][number]>();
  for (const { path, status, why } of sent) {
    const key = `${path} ${status ?? why}`;
    const group = groups.get(key) ?? { path, status, ...(why !== undefined && { why }), count: 0 };
    group.count += 1;
    groups.set(key, group);
  }
  const answered = sent.filter(({ status }) => status !== undefined).map(({ milliseconds }) => milliseconds);
  const sorted = answered.sort((a, b) => a - b);
  const at = (share: number) => percentile(sorted, share);
  return {
    requests: sent.length,
    answers: [...groups.values()].sort((a, b) => b.count - a.count),
    latency: sorted.length === 0 ? undefined : { p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99), max: at(1) },
  };
}

/** The smallest of the values that at least this share of them doesn't exceed (nearest rank). They have to be sorted. */
export function percentile(sorted: readonly number[], share: number): number {
  const rank = Math.max(Math.ceil(share * sorted.length), 1);
  return sorted[rank - 1] ?? Number.NaN;
}
