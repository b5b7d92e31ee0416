import type { Context } from '../context.ts';
import { messageOf, UserError } from '../lib/errors.ts';
import { CommandError } from '../lib/exec.ts';
import type { Progress } from '../lib/progress.ts';

/**
 * Keeps the images that the node got for the next cluster, and tells of it where there was something to keep. Hands back
 * a note where that failed, which harms nobody now.
 */
export async function keepImages(context: Context, progress: Progress): Promise<string[]> {
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  const title = 'images for the next one';
  progress.start(title);
  try {
    const { images, bytes } = await context.images.keep();
    if (images.length > 0) progress.done(title, seconds(), `${images.length} kept, ${megabytes(bytes)}`);
    return [];
  } catch (error) {
    if (context.signal.aborted || !isExpected(error)) throw error;
    progress.failed(title, seconds());
    const why =
      error instanceof CommandError ? (error.output.stderr.trim().split('\n').at(-1) ?? '') : messageOf(error);
    return [`The images were not kept, so the next cluster downloads them again: ${why}`];
  }
}

/** '310 MB'. */
export function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}

/** A disk that is full, or a folder that can't be written to. */
function isExpected(error: unknown): boolean {
  return error instanceof UserError || typeof (error as NodeJS.ErrnoException)?.code === 'string';
}
