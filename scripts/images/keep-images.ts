import { messageOf, UserError } from '../lib/errors.ts';
import { CommandError } from '../lib/exec.ts';
import type { Progress } from '../lib/terminal/progress.ts';
import type { Context } from './context.ts';

/**
 * Keeps the images that the node got for the next cluster, those that it still has packed, and tells of it where there was
 * something to keep. Of a cluster that is new they are kept as containerd unpacked them, too, all of them. Returns a note where that failed, which harms
 * nobody now.
 */
export async function keepImages(
  context: Context,
  progress: Progress,
  { isNew }: { isNew: boolean },
): Promise<string[]> {
  const { images, unpacked, node, config } = context;
  const packed = await keep(context, progress, 'images for the next one', async () => {
    const kept = await images.keep();
    return kept.images.length > 0 ? `${kept.images.length} kept, ${megabytes(kept.bytes)}` : undefined;
  });
  if (!isNew || packed.length > 0) return packed;
  return keep(context, progress, 'unpacked images', async () => {
    const bytes = await unpacked.keep(node, config.nodeImage, await images.ofPlatform());
    return bytes > 0 ? megabytes(bytes) : undefined;
  });
}

/** Shows a piece of work under its title, and lets nothing but a surprise get out of it. */
async function keep(
  context: Context,
  progress: Progress,
  title: string,
  work: () => Promise<string | undefined>,
): Promise<string[]> {
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  progress.start(title);
  try {
    const told = await work();
    if (told !== undefined) progress.done(title, seconds(), told);
    return [];
  } catch (error) {
    if (context.signal.aborted || !isExpected(error)) throw error;
    progress.failed(title, seconds());
    const why =
      error instanceof CommandError ? (error.output.stderr.trim().split('\n').at(-1) ?? '') : messageOf(error);
    return [`The images were not kept, so the next cluster takes longer: ${why}`];
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
