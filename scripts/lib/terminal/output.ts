import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { messageOf, UserError } from '../errors.ts';

const streams = [
  { saying: 'Standard output could not be written', stream: process.stdout },
  { saying: 'Standard error could not be written', stream: process.stderr },
];
const unwritten = new Map<string, Error>();
const refused = new AbortController();

/** Fires when standard output takes nothing any more: its reader is gone, as after `| head -1`, or its disk is full. */
export const outputRefused: AbortSignal = refused.signal;

/** Has errors of standard output and standard error kept for `outputWritten`. Without it, the first one ends the process. */
export function watchOutput(): void {
  for (const { saying, stream } of streams) {
    const failed = (error: NodeJS.ErrnoException) => {
      if (stream === process.stdout) refused.abort();
      if (!isReaderGone(error, stream) && !unwritten.has(saying)) unwritten.set(saying, error);
    };
    stream.on('error', failed);
    // Of a file, Node (lib/internal/fs/sync_write_stream.js) ignores how much a nearly full disk took.
    if (!((stream as Writable) instanceof Socket)) {
      stream._write = (chunk, _encoding, done) => {
        try {
          writeFileSync(stream.fd, chunk);
        } catch (error) {
          failed(error as NodeJS.ErrnoException);
        }
        done();
      };
    }
  }
}

/**
 * Waits until everything written so far has left the process, however slow its reader is: a pipe holds 64 KiB, and
 * `process.exit` drops the rest. A reader that is gone ends the wait and is no failure.
 * @throws `UserError` where something could not be written.
 */
export async function outputWritten(): Promise<void> {
  await Promise.all(streams.map(({ stream }) => new Promise<void>((resolve) => stream.write('', () => resolve()))));
  // Node calls back first and emits the error of the same write after that.
  await new Promise((resolve) => setImmediate(resolve));
  const [[saying, error] = []] = unwritten;
  if (saying === undefined) return;
  throw new UserError(`${saying}: ${messageOf(error)}`, {
    id: 'disk-full',
    hint: 'Make room (df -h) or write to another file, and run the command again.',
    cause: error,
  });
}

let drained: Promise<void> | undefined;

/**
 * What goes on writing waits for this: what its reader does not take piles up in this process.
 * @returns undefined where standard output takes more at once.
 */
export function outputDrained(): Promise<void> | undefined {
  if (!process.stdout.writableNeedDrain) return undefined;
  const taken = () => {
    drained = undefined;
  };
  drained ??= once(process.stdout, 'drain', { signal: outputRefused }).then(taken, taken);
  return drained;
}

/** A pipe or socket whose other end was closed, or a terminal that was. On a disk, EIO is a failure. */
function isReaderGone({ code = '' }: NodeJS.ErrnoException, stream: NodeJS.WriteStream): boolean {
  return ['EPIPE', 'ECONNRESET'].includes(code) || (code === 'EIO' && stream.isTTY);
}
