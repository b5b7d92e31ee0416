import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from '../../images/context.ts';
import { ApiError, isPassing, Unreachable } from '../../kubernetes/api/api.ts';
import { Interrupted } from '../../lib/errors.ts';
import { type Line, type Part, readLog } from './read.ts';
import type { Source } from './sources.ts';

/** Milliseconds between two looks for pods that are new. */
const every = 1000;

/** The lines that there are, of all sources, in the order of time. */
export async function readAll(context: Context, sources: readonly Source[], part: Part): Promise<Line[]> {
  const lines: Line[] = [];
  await Promise.all(
    sources.map((source) =>
      readLog(context, source, part, (line) => lines.push(line)).catch((error: unknown) => {
        // A pod may go between the look for it and this.
        if (!(error instanceof ApiError) || ![400, 404].includes(error.status)) throw error;
      }),
    ),
  );
  return lines.sort((one, other) => (one.time < other.time ? -1 : one.time > other.time ? 1 : 0));
}

export interface Following {
  /** Who has a log now. */
  look(): Promise<Source[]>;
  /** The time of the last line that was told of each source already, by its id. */
  told: Map<string, string>;
  onLine(line: Line): void;
  /** Told once each time that the API server can't be asked. */
  onLost(why: string): void;
}

/**
 * Goes on with every log, and with those of pods and runs that are new, until the signal fires; then it throws
 * `Interrupted`. What the API server doesn't answer meanwhile is asked for again, from the last line on.
 */
export async function followAll(context: Context, { look, told, onLine, onLost }: Following): Promise<never> {
  const ended = new Set<string>();
  const open = new Set<string>();
  let lost = false;
  const follow = async (source: Source) => {
    open.add(source.id);
    try {
      await readLog(context, source, { follow: true, after: told.get(source.id) }, (line) => {
        told.set(source.id, line.time);
        onLine(line);
      });
      ended.add(source.id);
    } catch (error) {
      if (!passes(error)) throw error;
    } finally {
      open.delete(source.id);
    }
  };
  let failed: unknown;
  for (;;) {
    if (context.signal.aborted) throw new Interrupted();
    if (failed !== undefined) throw failed;
    try {
      // An API server that shuts down ends an answer as a container does that ends.
      for (const source of await look())
        if (!open.has(source.id) && (source.running || !ended.has(source.id)))
          follow(source).catch((error: unknown) => {
            failed = error;
          });
      lost = false;
    } catch (error) {
      if (!passes(error)) throw error;
      if (!lost) onLost((error as Error).message);
      lost = true;
    }
    await sleep(every, undefined, { signal: context.signal }).catch(() => {});
  }
}

/** A pod may go, or have no log yet. A login that lacks the right to read it won't get it by waiting. */
function passes(error: unknown): boolean {
  if (error instanceof ApiError && [400, 404].includes(error.status)) return true;
  return error instanceof Unreachable || isPassing(error);
}
