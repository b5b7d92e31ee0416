import { setTimeout as sleep } from 'node:timers/promises';
import { Interrupted, messageOf, UsageError } from '../../lib/errors.ts';
import { limitConcurrency } from '../../lib/tasks.ts';
import type { Parsed } from '../../lib/terminal/args.ts';

/** What is to be sent. */
export interface TrafficPlan {
  seconds: number;
  /** Requests a second. */
  rate: number;
  /** How many of a hundred requests ask for what is not there. */
  errors: number;
}

/** The ingress lets one client send 50 a second (`limit-rps` in the values of api-node); an hour fills the dashboards. */
export const maximum = { seconds: 3600, rate: 50, errors: 100 };
const minimum = { seconds: 1, rate: 1, errors: 0 };
export const defaultPlan: TrafficPlan = { seconds: 60, rate: 5, errors: 5 };

/** Goes to core-go as well, so that both show it. */
export const goodPath = '/info';
/**
 * The services answer nothing with a 5xx on purpose, so an honest one takes a real fault, as core-go without pods. What
 * asks for this path is answered 404.
 */
export const badPath = '/no-such-page';

/** Reads the flags. Throws a `UsageError` for what is not within the bounds. */
export function readPlan(flags: Parsed['flags']): TrafficPlan {
  const read = (name: keyof TrafficPlan) => {
    const number = Number(flags[name] ?? defaultPlan[name]);
    if (Number.isInteger(number) && number >= minimum[name] && number <= maximum[name]) return number;
    throw new UsageError(
      `--${name} takes a whole number from ${minimum[name]} to ${maximum[name]}, not "${flags[name]}".`,
      `npm run traffic -- --${name} ${defaultPlan[name]}`,
    );
  };
  return { seconds: read('seconds'), rate: read('rate'), errors: read('errors') };
}

/** The path of each request. The errors are spread evenly, so with five percent it is every twentieth. */
export function* plannedPaths({ seconds, rate, errors }: TrafficPlan): Generator<string> {
  const errorsBefore = (index: number) => Math.floor((index * errors) / 100);
  for (let index = 0; index < seconds * rate; index += 1)
    yield errorsBefore(index + 1) > errorsBefore(index) ? badPath : goodPath;
}

/** What became of a request. */
export interface SentRequest {
  path: string;
  /** Undefined where there was no answer. */
  status: number | undefined;
  /** Why there was none. */
  why?: string;
  /** From the moment that it was due, so that a slow server can't hide by being asked less often. */
  milliseconds: number;
}

/** Requests that wait for their answers at the same time, at most: a server that hangs is not buried. */
const maxOpenRequests = 50;

interface Stream {
  paths: Iterable<string>;
  /** Requests a second. */
  rate: number;
  /** Asks for a path; tells the status, or why there is none. */
  send(path: string): Promise<{ status?: number; missing?: string }>;
  signal: AbortSignal;
  /** Each request is put here as soon as it is known what became of it. */
  sent: SentRequest[];
}

/** Sends requests at a steady pace, and waits for the last answers. Once the signal fires it sends no more. */
export async function sendStream({ paths, rate, send, signal, sent }: Stream): Promise<void> {
  const started = performance.now();
  const limited = limitConcurrency(maxOpenRequests);
  const running: Promise<void>[] = [];
  for (const path of paths) {
    const due = started + (running.length * 1000) / rate;
    // A timer may fire up to two milliseconds early, as it counts whole ones.
    do await sleep(Math.max(due - performance.now(), 0), undefined, { signal }).catch(() => {});
    while (performance.now() < due && !signal.aborted);
    if (signal.aborted) break;
    const one = async () => {
      if (signal.aborted) return;
      try {
        const { status, missing: why = 'no answer' } = await send(path);
        sent.push({ path, status, ...(status === undefined && { why }), milliseconds: performance.now() - due });
      } catch (error) {
        // One that Ctrl-C cut off says nothing about the server.
        if (error instanceof Interrupted) return;
        sent.push({ path, status: undefined, why: messageOf(error), milliseconds: performance.now() - due });
      }
    };
    running.push(limited(one));
  }
  await Promise.all(running);
}
