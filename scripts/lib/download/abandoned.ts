import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

const oneHour = 3_600_000;

/** Removes what a process that was killed left behind: entries that are named so and were not touched for an hour. */
export async function removeAbandoned(folder: string, isTemporary: (name: string) => boolean): Promise<void> {
  for (const name of (await readdir(folder)).filter(isTemporary)) {
    const path = join(folder, name);
    const age = Date.now() - (await stat(path).catch(() => ({ mtimeMs: Date.now() }))).mtimeMs;
    if (age > oneHour) await rm(path, { recursive: true, force: true });
  }
}
