import { UsageError } from '../../lib/errors.ts';
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
    `npm run load -- --${name} ${defaultPlan[name]}`,
  );
}

/** The path of each request, from 0: the errors are spread evenly, so with five percent it is every twentieth. */
export function requestPath(index: number, { errors }: TrafficPlan): string {
  const before = Math.floor((index * errors) / 100);
  return Math.floor(((index + 1) * errors) / 100) > before ? badPath : goodPath;
}
