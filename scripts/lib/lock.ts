import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Interrupted, UsageError } from './errors.ts';
import { removeLeftovers, temporariesOf, temporaryName, writeWhole } from './files.ts';
import { isRunning, processStartTime } from './processes.ts';
import { waitUntil } from './retry.ts';

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
  const other = await waitUntil(look, { timeout: patience, signal, every: 200 });
  if (other !== undefined)
    throw new UsageError(`${other} is working on ${what}.`, {
      id: 'another-command',
      hint: `Wait until it is done. If there is no such command: rm "${file}"`,
    });
  return unlock as () => void;
}

/**
 * Takes the lock, or tells who has it: `undefined` for one that is just being made. A lock is taken by creating its file. Only a
 * dead process's file is ever replaced, by one process at a time: the one that holds a second lock, which is made in the same
 * way. So what was read under it stays true until the file is replaced, and whatever a killed process leaves is taken over.
 */
function takeLock(
  file: string,
  command: string | undefined,
  onTakeOver: LockOptions['onTakeOver'],
): (() => void) | LockHolder | undefined {
  const start = processStartTime(process.pid);
  const mine = JSON.stringify({ pid: process.pid, ...(start && { start }), ...(command && { command }) });
  for (let tries = 0; tries < 3; tries += 1) {
    if (createLock(file, mine)) return releasing(file, mine);
    const found = readLock(file);
    if (found === undefined) continue; // Given back meanwhile.
    const holder = parseHolder(found.text);
    if (isHeld(file, found)) return holder;
    const guard = takeLock(`${file}.takeover`, command, undefined);
    if (typeof guard !== 'function') return guard;
    try {
      const now = readLock(file);
      if (now?.text !== found.text || isHeld(file, now)) continue;
      writeWhole(file, mine, { ownerOnly: true });
    } finally {
      guard();
    }
    if (holder) onTakeOver?.(describeHolder(holder));
    return releasing(file, mine);
  }
  return undefined;
}

/**
 * Creates the lock's file, unless there is one. For a moment it is empty (a hard link could prevent that, where there are such):
 * whoever finds it so knows by a file beside it, which was written before, that its process lives.
 */
function createLock(file: string, mine: string): boolean {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const announced = temporaryName(file);
  try {
    writeFileSync(announced, mine, { mode: 0o600, flag: 'wx' });
    writeWhole(file, mine, { ownerOnly: true, exclusive: true });
    return true;
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    // ENOENT: whoever gave it back took the empty folder with it.
    if (!['EEXIST', 'ENOENT'].includes(code)) throw error;
    return false;
  } finally {
    rmSync(announced, { force: true });
  }
}

/** Whether the process lives that holds a lock or, where the lock does not name it yet, is making it. */
function isHeld(file: string, { text, writtenAt }: FoundLock): boolean {
  const holder = parseHolder(text);
  if (holder) return isRunning(holder.pid, holder.start);
  // An earlier version announces nothing, but writes at once. A lock from the future is by a clock that was ahead.
  if (Math.abs(Date.now() - writtenAt) < 5000) return true;
  const isMade = temporariesOf(file).some(({ path }) => {
    const maker = parseHolder(readLock(path)?.text ?? '');
    return maker !== undefined && isRunning(maker.pid, maker.start);
  });
  // One that is being made no longer may have been completed in between.
  const now = readLock(file);
  return isMade || now?.text !== text || now.writtenAt !== writtenAt;
}

function releasing(file: string, mine: string): () => void {
  const unlock = () => {
    process.off('exit', unlock);
    if (readLock(file)?.text === mine) rmSync(file, { force: true });
  };
  // A second Ctrl-C ends the process at once.
  process.on('exit', unlock);
  removeLeftovers(file);
  // Of a process that was killed once it had replaced a lock. One that lives removes it itself.
  const guard = existsSync(`${file}.takeover`) && takeLock(`${file}.takeover`, undefined, undefined);
  if (typeof guard === 'function') guard();
  return unlock;
}

/** A lock's text, and when it was written, in milliseconds since 1970. */
type FoundLock = { text: string; writtenAt: number };

function readLock(file: string): FoundLock | undefined {
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
  return `${holder?.command ?? 'Another command'} (process ${holder?.pid ?? 'unknown'})`;
}
