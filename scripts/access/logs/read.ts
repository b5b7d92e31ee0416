import type { Context } from '../../images/context.ts';
import type { Source } from './sources.ts';

export interface Line {
  source: Source;
  /** When the node read it, to the nanosecond: texts that can be compared. */
  time: string;
  text: string;
}

/** Which part of a log. */
export interface Part {
  /** The last so many lines. */
  tail?: number | undefined;
  /** Those of the last so many seconds. */
  seconds?: number | undefined;
  /** Those behind this time of a `Line`. */
  after?: string | undefined;
  /** The log of the run before. */
  previous?: boolean;
  /** Goes on until the container ends. */
  follow?: boolean;
}

/** Hands over the lines of a log as they come. Resolves when the log ends. Throws `ApiError`, `Unreachable` or `Interrupted`. */
export async function readLog(
  context: Context,
  source: Source,
  part: Part,
  onLine: (line: Line) => void,
): Promise<void> {
  const take = (raw: string) => {
    const blank = raw.indexOf(' ');
    const time = fixed(raw.slice(0, blank));
    // The API server knows whole seconds only: the first of them brings what was read before.
    if (part.after === undefined || time > part.after) onLine({ source, time, text: raw.slice(blank + 1) });
  };
  const { namespace, pod } = source;
  const path = `/api/v1/namespaces/${namespace}/pods/${pod}/log?${query(source, part)}`;
  const rest = await context.api().lines(path, part.follow ? 0 : silence, take);
  // A program that dies in the middle of a line leaves its last words without an end.
  if (rest !== '') take(rest);
}

/** Milliseconds in which a log that is not followed has to go on coming. */
const silence = 30_000;

function query({ container }: Source, { tail, seconds, after, previous, follow }: Part): URLSearchParams {
  return new URLSearchParams({
    container,
    timestamps: 'true',
    ...(tail !== undefined && { tailLines: String(tail) }),
    ...(seconds !== undefined && { sinceSeconds: String(seconds) }),
    ...(after !== undefined && { sinceTime: after.replace(/\.\d+/, '') }),
    ...(previous && { previous: 'true' }),
    ...(follow && { follow: 'true' }),
  });
}

/** The same time with nine digits behind the point. */
function fixed(time: string): string {
  return time.replace(/(?:\.(\d+))?(?=Z|[+-]\d\d:)/, (_, digits = '') => `.${digits.padEnd(9, '0')}`);
}
