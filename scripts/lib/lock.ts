import { closeSync, mkdirSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { UsageError } from './errors.ts';

/**
 * Keeps a second process away from what the first is working on, until the function that is handed back is called.
 * A lock whose process is gone is taken over. Throws a `UsageError` naming the process that holds it.
 */
export function lock(file: string, what: string): () => void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  for (let tries = 0; tries < 3; tries += 1) {
    try {
      const descriptor = openSync(file, 'wx', 0o600);
      writeSync(descriptor, String(process.pid));
      closeSync(descriptor);
      return () => rmSync(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const holder = holderOf(file);
      if (holder === undefined) continue;
      if (holder === '' || isRunning(Number(holder))) {
        throw new UsageError(
          `Another command (process ${holder || 'unknown'}) is working on ${what}.`,
          `Wait until it is done. If there is no such command: rm "${file}"`,
        );
      }
      rmSync(file, { force: true });
    }
  }
  throw new UsageError(`Other commands keep working on ${what}.`, 'Wait until they are done.');
}

/** The process that the lock names: '' while it is being made, undefined where it is gone by now. */
function holderOf(file: string): string | undefined {
  try {
    const holder = readFileSync(file, 'utf8');
    // Whoever makes a lock writes into it at once; one that stays empty was left so by a crash.
    return holder !== '' || Date.now() - statSync(file).mtimeMs < 5000 ? holder : '0';
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return undefined;
  }
}

function isRunning(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It runs, but belongs to another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
