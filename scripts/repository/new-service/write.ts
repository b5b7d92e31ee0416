import { mkdir, rename, rm, rmdir, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Interrupted, messageOf, UserError } from '../../lib/errors.ts';
import type { Change } from './change.ts';

/** How to undo a step that was done, and of which file it was. */
interface Step {
  file: string;
  undo(): Promise<void>;
}

/**
 * Writes all of the changes, or none: where one fails, or the signal fires, what was written until then is put back, and a
 * `UserError` says why. No file is overwritten that was not there when the changes were planned.
 */
export async function writeAll(root: string, changes: readonly Change[], signal: AbortSignal): Promise<void> {
  const steps: Step[] = [];
  for (const change of changes) {
    try {
      if (signal.aborted) throw new Interrupted();
      await write(root, change, steps);
    } catch (error) {
      const left = await undoAll(steps);
      if (error instanceof Interrupted && left.length === 0) throw error;
      throw new UserError(`${change.file} could not be written: ${messageOf(error)}. ${afterwards(left)}`, {
        hint: left.length > 0 ? 'git status shows what is left.' : 'Put that right, and run the command again.',
        cause: error,
      });
    }
  }
}

function afterwards(left: readonly string[]): string {
  return left.length === 0 ? 'Nothing was changed.' : `These could not be put back: ${left.join(', ')}.`;
}

async function write(root: string, { file, before, after, link }: Change, steps: Step[]): Promise<void> {
  const path = join(root, file);
  if (before !== undefined) {
    await replace(path, after);
    steps.push({ file, undo: () => replace(path, before) });
    return;
  }
  await makeFolders(root, dirname(file), steps);
  const undo = { file, undo: () => rm(path, { force: true }) };
  if (link) await symlink(after, path);
  // Half of a file is one as well, when the disk is full.
  else await writeFile(path, after, { flag: 'wx' }).catch(takenAway(path));
  steps.push(undo);
}

function takenAway(path: string): (error: NodeJS.ErrnoException) => Promise<never> {
  return async (error) => {
    if (error.code !== 'EEXIST') await rm(path, { force: true });
    throw error;
  };
}

/** Whole at any moment: a disk that is full leaves the old one. */
async function replace(path: string, text: string): Promise<void> {
  const beside = `${path}.new-service`;
  try {
    await writeFile(beside, text, { mode: (await stat(path)).mode & 0o777 });
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}

async function makeFolders(root: string, folder: string, steps: Step[]): Promise<void> {
  const parts = folder.split('/');
  for (const [index] of parts.entries()) {
    const file = parts.slice(0, index + 1).join('/');
    try {
      await mkdir(join(root, file));
      steps.push({ file, undo: () => rmdir(join(root, file)) });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** Hands back what could not be undone. */
async function undoAll(steps: readonly Step[]): Promise<string[]> {
  const left: string[] = [];
  for (const { file, undo } of steps.toReversed()) await undo().catch(() => left.push(file));
  return left;
}
