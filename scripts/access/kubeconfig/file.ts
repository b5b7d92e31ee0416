import { existsSync } from 'node:fs';
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf, UserError } from '../../lib/errors.ts';
import { findRegularFile, readFileOrPipe, writeWhole } from '../../lib/files.ts';

/** Of a list of kubeconfigs, the one that kubectl would write something new to: the first that exists, or else the last. */
export function writableOf(files: readonly string[]): string {
  return files.find((file) => existsSync(file)) ?? files.at(-1) ?? '';
}

/** Where the text is kept that a kubeconfig had before we changed it last. */
export function backupOf(file: string): string {
  return `${file}.platform-ops-backup`;
}

/**
 * Changes the user's kubeconfig: `change` makes the new text of the old one, or returns undefined to leave it alone. A
 * link stays a link, the mode stays, the old text goes into a backup, and no other program that honours kubectl's lock
 * writes meanwhile. Returns whether anything was changed. Throws a `UserError` with the file's name.
 */
export async function changeKubeconfig(file: string, change: (text: string) => string | undefined): Promise<boolean> {
  try {
    if (!existsSync(file)) await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const { path: real } = findRegularFile(file);
    const unlock = await lockKubeconfig(real);
    try {
      return await writeKubeconfig(real, change);
    } finally {
      await unlock();
    }
  } catch (error) {
    const hint = error instanceof UserError ? error.hint : undefined;
    throw new UserError(`${file} was left as it is: ${messageOf(error)}`, {
      id: 'kubeconfig-left',
      hint: hint ?? 'npm run kubeconfig shows how to use the cluster without changing that file.',
      cause: error,
    });
  }
}

async function writeKubeconfig(file: string, change: (text: string) => string | undefined): Promise<boolean> {
  const before = readFileOrPipe(file);
  const after = change(before ?? '');
  if (after === undefined || after === (before ?? '')) return false;
  if (before !== undefined) writeWhole(backupOf(file), await readFile(file), { ownerOnly: true });
  writeWhole(file, after, { mode: 0o600 });
  return true;
}

/** kubectl's own lock: a file beside the kubeconfig that only one program can create. */
async function lockKubeconfig(file: string): Promise<() => Promise<void>> {
  const path = `${file}.lock`;
  try {
    await (await open(path, 'wx')).close();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    throw new UserError('another program is writing it.', {
      hint: `Try again. If no kubectl runs, an earlier one was killed: rm "${path}"`,
      cause,
    });
  }
  return () => rm(path, { force: true });
}
