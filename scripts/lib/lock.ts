import {
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { Interrupted, UsageError } from './errors.ts';
import { isRunning, processStartTime } from './processes.ts';
import { WaitTimeout, waitUntil } from './retry.ts';

/** Who holds a lock, as it stands in the lock's file. */
export interface LockHolder {
  pid: number;
  /** As `processStartTime` tells it, so that a number that is in use again is no holder. */
  start?: string;
  /** What a person typed to start it. */
  command?: string;
}

export interface LockOptions {
  /** What is locked, for messages. */
  what: string;
  /** What a person typed to start this process. */
  command?: string;
  /** Milliseconds to wait for another holder; 0 fails at once. */
  patience: number;
  signal: AbortSignal;
  /** Told once for each holder that is waited for. */
  onWait?: (holder: string) => void;
  /** Told of a holder that is dead, and whose lock is taken over. */
  onTakeOver?: (holder: string) => void;
}

/**
 * Keeps other processes away from what this one is working on, until the function that is returned is called, or the
 * process ends. A lock whose process is gone is taken over. Throws a `UsageError` naming the process that still holds
 * it when patience ends, or `Interrupted`.
 */
export async function lock(file: string, options: LockOptions): Promise<() => void> {
  const { what, command, patience, signal, onWait, onTakeOver } = options;
  if (signal.aborted) throw new Interrupted();
  let unlock: (() => void) | undefined;
  let told: string | undefined;
  const look = async () => {
    const taken = takeLock(file, command, onTakeOver);
    if (typeof taken === 'function') {
      unlock = taken;
      return undefined;
    }
    const holder = describeHolder(taken);
    if (patience > 0 && holder !== told) onWait?.(holder);
    told = holder;
    return holder;
  };
  try {
    await waitUntil(look, { timeout: patience, signal, every: 200 });
  } catch (error) {
    if (!(error instanceof WaitTimeout)) throw error;
    throw new UsageError(
      `${error.missing} is working on ${what}.`,
      `Wait until it is done. If there is no such command: rm "${file}"`,
    );
  }
  return unlock as () => void;
}

/** Takes the lock, or tells who has it: `undefined` for one that is just being made. */
function takeLock(
  file: string,
  command: string | undefined,
  onTakeOver: LockOptions['onTakeOver'],
): (() => void) | LockHolder | undefined {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const start = processStartTime(process.pid);
  const mine = JSON.stringify({ pid: process.pid, ...(start && { start }), ...(command && { command }) });
  for (let tries = 0; tries < 3; tries += 1) {
    try {
      const descriptor = openSync(file, 'wx', 0o600);
      try {
        writeSync(descriptor, mine);
      } catch (error) {
        // The disk is full: an empty lock would keep the next command waiting.
        rmSync(file, { force: true });
        throw error;
      } finally {
        closeSync(descriptor);
      }
      return releasing(file, mine);
    } catch (error) {
      // Whoever gave it back took the empty folder with it.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
        mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
        continue;
      }
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const found = readLock(file);
      if (found === undefined) continue;
      // Whoever makes a lock writes into it at once; one that stays empty was left so by a crash.
      // So was one from the future, by a clock that was ahead.
      if (found.text === '' && Math.abs(Date.now() - found.writtenAt) < 5000) return undefined;
      const holder = parseHolder(found.text);
      if (holder && isRunning(holder.pid, holder.start)) return holder;
      discard(file, found.text);
      if (holder) onTakeOver?.(describeHolder(holder));
    }
  }
  return undefined;
}

function releasing(file: string, mine: string): () => void {
  const unlock = () => {
    process.off('exit', unlock);
    if (readLock(file)?.text === mine) rmSync(file, { force: true });
  };
  // A second Ctrl-C ends the process at once.
  process.on('exit', unlock);
  return unlock;
}

/** Takes a dead process's lock away, but not that of somebody who did the same a moment ago. */
function discard(file: string, text: string): void {
  const aside = `${file}.${process.pid}`;
  try {
    renameSync(file, aside);
    if (readLock(aside)?.text !== text) linkSync(aside, file);
  } catch (error) {
    if (!['ENOENT', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

function readLock(file: string): { text: string; writtenAt: number } | undefined {
  try {
    return { text: readFileSync(file, 'utf8'), writtenAt: statSync(file).mtimeMs };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return undefined;
  }
}

function parseHolder(text: string): LockHolder | undefined {
  try {
    const read = JSON.parse(text) as unknown;
    // Earlier versions wrote the number alone.
    if (typeof read === 'number') return { pid: read };
    return typeof read === 'object' && read !== null && 'pid' in read ? (read as LockHolder) : undefined;
  } catch {
    return undefined;
  }
}

function describeHolder(holder: LockHolder | undefined): string {
  if (!holder) return 'Another command (process unknown)';
  return holder.command === undefined
    ? `Another command (process ${holder.pid})`
    : `${holder.command} (process ${holder.pid})`;
}
