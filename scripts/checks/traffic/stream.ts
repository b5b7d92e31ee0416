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
  return {
    seconds: numberOf('seconds', flags.seconds, 1),
    rate: numberOf('rate', flags.rate, 1),
    errors: numberOf('errors', flags.errors, 0),
  };
}

function numberOf(name: keyof TrafficPlan, value: Parsed['flags'][string], least: number): number {
  if (value === undefined) return defaultPlan[name];
  const number = Number(value);
  if (Number.isInteger(number) && number >= least && number <= maximum[name]) return number;
  throw new UsageError(
    `--${name} takes a whole number from ${least} to ${maximum[name]}, not "${value}".`,
    `npm run traffic -- --${name} ${defaultPlan[name]}`,
  );
}

/** The path of each request, from 0: the errors are spread evenly, so with five percent it is every twentieth. */
export function requestPath(index: number, { errors }: TrafficPlan): string {
  const before = Math.floor((index * errors) / 100);
  return Math.floor(((index + 1) * errors) / 100) > before ? badPath : goodPath;
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
    const one = async () => {
      const after = () => performance.now() - due;
      try {
        sent.push({ path, status: await send(path), milliseconds: after() });
      } catch (error) {
        // One that Ctrl-C cut off says nothing about the server.
        if (error instanceof Interrupted) return;
        sent.push({ path, status: undefined, why: messageOf(error), milliseconds: after() });
      }
    };
    running.push(limited(one));
  }
  await Promise.all(running);
  return { sent, seconds: (performance.now() - started) / 1000, interrupted: signal.aborted };
}
