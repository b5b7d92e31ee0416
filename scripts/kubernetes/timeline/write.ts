import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { messageOf } from '../../lib/errors.ts';
import type { Trace } from '../../lib/trace/trace.ts';
import type { Context } from '../context.ts';
import type { Event } from '../explain/explain.ts';
import { eventSpans, timeline } from './timeline.ts';

/**
 * Writes the timeline of a command that began at `origin`, in milliseconds of `performance.now()`, with the events that the
 * cluster tells of since then. Hands back a sentence that says where it is, or why it could not be written: what the command
 * did is done all the same.
 */
export async function timelineNote(context: Context, trace: Trace, file: string, origin: number): Promise<string> {
  const path = resolve(context.config.root, file);
  const spans = [...trace.spans(), ...(await eventsSince(context, origin))];
  try {
    // Commands name folders of this machine, and what goes on in a cluster is its owner's business.
    await writeFile(path, JSON.stringify(timeline(spans, origin)), { mode: 0o600 });
  } catch (error) {
    return `! The timeline could not be written: ${messageOf(error)}`;
  }
  return `The timeline is in ${path}; open it in https://ui.perfetto.dev.`;
}

/** A cluster that can't be asked has no events to tell, and the rest of the timeline says why. */
async function eventsSince(context: Context, origin: number) {
  try {
    return eventSpans(await context.api().list<Event>('v1', 'Event'), performance.timeOrigin, origin);
  } catch {
    return [];
  }
}
