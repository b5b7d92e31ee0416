import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Interrupted, UsageError } from './errors.ts';
import { removeLeftovers, temporaryName } from './files.ts';
import { isRunning, processStartTime } from './processes.ts';
import { waitUntil } from './retry.ts';

/** Who holds a lock, as it stands in there. */
interface LockHolder {
  pid: number;
  /** As `processStartTime` tells it, so that a number that is in use again is no holder. */
  start?: string;
  /** What was typed to start it. */
  command?: string;
}

export interface LockOptions {
  /** What is locked, for messages. */
  what: string;
  /** What was typed to start this process. */
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
 * process ends. A lock whose process is gone is taken over.
 * @throws a `UsageError` naming the process that still holds it when patience ends, or `Interrupted`.
 */
export async function lock(path: string, options: LockOptions): Promise<() => void> {
  const { what, patience, signal, onWait } = options;
  if (signal.aborted) throw new Interrupted();
  let unlock: (() => void) | undefined;
  let told: string | undefined;
  const look = async () => {
    const taken = takeLock(path, options);
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
      hint: `Wait until it is done. If there is no such command: rm -r "${path}"`,
    });
  return unlock as () => void;
}

/**
 * Takes the lock, or tells who has it: `undefined` where it changes hands too fast. A lock is a folder with one file, whose name is
 * used once and whose text tells the holder. It appears as a whole, by a rename, which the system does for one process only, and
 * only where there is no folder or an empty one. So any number of processes may remove a dead holder's file at once: none of them
 * can hit another holder by that. Nothing of this needs hard links, which some file systems refuse.
 */
function takeLock(path: string, { command, onTakeOver }: LockOptions): (() => void) | LockHolder | undefined {
  const start = processStartTime(process.pid);
  const mine = JSON.stringify({ pid: process.pid, ...(start && { start }), ...(command && { command }) });
  let dead: LockHolder | undefined;
  for (let tries = 0; tries < 10; tries += 1) {
    const file = createLock(path, mine);
    if (file !== undefined) {
      if (dead) onTakeOver?.(describeHolder(dead));
      return releasing(path, file);
    }
    // Without a name it is the lock itself: that of an earlier version is a file.
    for (const name of ifThere(() => readdirSync(path)) ?? ['']) {
      const text = ifThere(() => readFileSync(join(path, name), 'utf8'));
      if (text === undefined) continue;
      const holder = parseHolder(text);
      if (holder && isRunning(holder.pid, holder.start)) return holder;
      dead = holder ?? dead;
      ifThere(() => unlinkSync(join(path, name)));
    }
  }
  return undefined;
}

/** @returns the file in the lock, or undefined where another process has it. */
function createLock(path: string, text: string): string | undefined {
  const folder = temporaryName(path);
  // For a file system that is read-only, Node says ENOENT of a folder made together with those above it.
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  try {
    return ifThere(() => {
      mkdirSync(folder, { mode: 0o700 });
      writeFileSync(join(folder, basename(folder)), text, { mode: 0o600 });
      renameSync(folder, path);
      return join(path, basename(folder));
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function releasing(path: string, file: string): () => void {
  const unlock = () => {
    process.off('exit', unlock);
    ifThere(() => unlinkSync(file));
    ifThere(() => rmdirSync(path));
  };
  // A second Ctrl-C ends the process at once.
  process.on('exit', unlock);
  removeLeftovers(path);
  return unlock;
}

/** What the system says where another process was quicker: nothing is there, or something else than there was. */
const outrun = ['ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR', 'EISDIR'];

/** @returns what the work does, or undefined where another process was quicker. */
function ifThere<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (!outrun.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    return undefined;
  }
}

/** @returns undefined for a text that names no process, as a power failure may leave it. */
function parseHolder(text: string): LockHolder | undefined {
  try {
    const read: unknown = JSON.parse(text);
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
