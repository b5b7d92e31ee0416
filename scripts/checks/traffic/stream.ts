import { setTimeout as sleep } from 'node:timers/promises';
import { Interrupted, messageOf } from '../../lib/errors.ts';
import { limitConcurrency } from '../../lib/tasks.ts';
import { type Plan, pathOf } from './plan.ts';

/** What became of a request. */
export interface Sent {
  path: string;
  /** Undefined where there was no answer. */
  status: number | undefined;
  /** Why there was none. */
  why?: string;
  /** From the moment that it was due, so that a slow server can't hide by being asked less often. */
  milliseconds: number;
}

export interface Stream {
  sent: Sent[];
  seconds: number;
  interrupted: boolean;
}

/** Requests that wait for their answers at the same time, at most: a server that hangs is not buried. */
const open = 50;

/**
 * Sends what the plan says at its steady pace, and waits for the last answers. Once the signal fires it sends no more, and
 * hands back what there is. `send` hands back the status, and throws where there is no answer.
 */
export async function sendStream(
  plan: Plan,
  send: (path: string) => Promise<number>,
  signal: AbortSignal,
): Promise<Stream> {
  const started = performance.now();
  const sent: Sent[] = [];
  const limited = limitConcurrency(open);
  const running: Promise<void>[] = [];
  for (let index = 0; index < plan.seconds * plan.rate && !signal.aborted; index += 1) {
    const due = started + (index * 1000) / plan.rate;
    await sleep(Math.max(due - performance.now(), 0), undefined, { signal }).catch(() => {});
    if (signal.aborted) break;
    const path = pathOf(index, plan);
    running.push(
      limited(async () => {
        const result = await outcome(path, send);
        if (result) sent.push({ ...result, milliseconds: performance.now() - due });
      }),
    );
  }
  await Promise.all(running);
  return { sent, seconds: (performance.now() - started) / 1000, interrupted: signal.aborted };
}

/** Nothing for one that was cut off by Ctrl-C: that says nothing about the server. */
async function outcome(
  path: string,
  send: (path: string) => Promise<number>,
): Promise<Omit<Sent, 'milliseconds'> | undefined> {
  try {
    return { path, status: await send(path) };
  } catch (error) {
    return error instanceof Interrupted ? undefined : { path, status: undefined, why: messageOf(error) };
  }
}
