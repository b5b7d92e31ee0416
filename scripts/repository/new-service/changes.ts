import { mkdir, rm, rmdir, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Interrupted, messageOf, UserError } from '../../lib/errors.ts';
import { writeWhole } from '../../lib/files.ts';
import { readText } from '../text.ts';

/** A file that is made, or edited, for a new service. */
export interface FileChange {
  /** From the top of this repository's files. */
  file: string;
  /** What it held; undefined of one that is not there yet. */
  before?: string;
  /** What it is to hold; of a link, where that leads. */
  after: string;
  link?: true;
}

/** An edit of a file that is there. Throws a `UserError` where it is not. */
export async function edit(root: string, file: string, make: (text: string) => string): Promise<FileChange> {
  const before = await readText(root, file);
  return { file, before, after: make(before) };
}

/** A text with another name in the place of one, wherever that stands as a word of its own. */
export function renamed(text: string, from: string, to: string): string {
  return text.replaceAll(new RegExp(`(?<![\\w-])${from}(?![\\w-])`, 'g'), to);
}

/** The error about a file that somebody changed so much that what belongs to a new service finds no place in it. */
export function noPlace(file: string, what: string): UserError {
  return new UserError(`${file} has no ${what}, so nothing can be added to it.`, {
    hint: `git log -p -- ${file} shows how it was; put that back, or add the service by hand as CONTRIBUTING.md tells.`,
  });
}

/** How to undo a step that was done, and of which file it was. */
interface WrittenStep {
  file: string;
  undo(): Promise<void>;
}

/**
 * Writes all of the changes, or none: where one fails, or the signal fires, what was written until then is put back, and a
 * `UserError` says why. No file is overwritten that was not there when the changes were planned.
 */
export async function writeAll(root: string, changes: readonly FileChange[], signal: AbortSignal): Promise<void> {
  const steps: WrittenStep[] = [];
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

async function write(root: string, { file, before, after, link }: FileChange, steps: WrittenStep[]): Promise<void> {
  const path = join(root, file);
  if (before !== undefined) {
    writeWhole(path, after);
    steps.push({ file, undo: async () => writeWhole(path, before) });
    return;
  }
  await makeFolders(root, dirname(file), steps);
  const undo = { file, undo: () => rm(path, { force: true }) };
  if (link) await symlink(after, path);
  else writeWhole(path, after, { exclusive: true });
  steps.push(undo);
}

async function makeFolders(root: string, folder: string, steps: WrittenStep[]): Promise<void> {
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

/** Returns what could not be undone. */
async function undoAll(steps: readonly WrittenStep[]): Promise<string[]> {
  const left: string[] = [];
  for (const { file, undo } of steps.toReversed()) await undo().catch(() => left.push(file));
  return left;
}
