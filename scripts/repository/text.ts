import { lstatSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { messageOf, UsageError, UserError } from '../lib/errors.ts';
import type { Exec } from '../lib/exec.ts';
import { readBytesOrPipe } from '../lib/files.ts';
import { type Checkout, readCheckout } from '../lib/git/checkout.ts';
import { gitIn, readPaths } from '../lib/git/run.ts';

/** What is wrong with a file that can't be opened, by the code of Node's error, and how to mend it. */
const reasons: Readonly<Record<string, (file: string) => readonly [reason: string, hint: string]>> = {
  EACCES: (file) => ['may not be read', `chmod u+r ${file}`],
  ELOOP: () => ['is a link to itself', 'Replace it by the file.'],
};

/**
 * The text of a file of this repository, given from its top folder, so exact that writing it again changes no byte.
 * @throws UserError where it can't be read, is a folder or a device, or is not UTF-8.
 */
export async function readText(root: string, file: string): Promise<string> {
  const bytes = bytesOf(root, file);
  if (bytes === undefined)
    throw lstatSync(join(root, file), { throwIfNoEntry: false })
      ? unreadable(`${file} is a link to nothing.`, 'Save the file in the editor that made it, or remove the link.')
      : unreadable(`${file} is not there.`, `git checkout HEAD -- ${file} brings back what was committed.`);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw unreadable(`${file} can't be read as UTF-8, as YAML has to be.`, 'Save it as UTF-8 and commit.', cause);
  }
}

function bytesOf(root: string, file: string): Buffer | undefined {
  try {
    return readBytesOrPipe(join(root, file));
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    const { code = '' } = cause as NodeJS.ErrnoException;
    const [reason, hint] = reasons[code]?.(file) ?? [`can't be read (${code})`, 'npm run validate -- files'];
    throw unreadable(`${file} ${reason}.`, hint, cause);
  }
}

/**
 * The files and links below a folder of this repository, from its top folder, sorted.
 * @throws UserError for a folder that can't be read.
 */
export async function filesBelow(root: string, folder: string): Promise<string[]> {
  const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true }).catch((cause) => {
    const hint = `git checkout HEAD -- ${folder} brings back what was committed.`;
    throw unreadable(`The folder ${folder}/ can't be read (${cause.code}).`, hint, cause);
  });
  return entries
    .filter((entry) => entry.isFile() || entry.isSymbolicLink())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
}

/** The error about a file of this repository that nothing can be done with. */
export function unreadable(message: string, hint = 'Correct it: npm run validate shows the line.', cause?: unknown) {
  return new UserError(message, { id: 'file-unreadable', hint, cause });
}

/**
 * Reads something in a file that somebody may have edited.
 * @param file is named in the error.
 * @throws UserError with what `read` says of it: nothing but the file is to blame for that.
 */
export function understood<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    const [said = ''] = messageOf(cause).split('\n');
    throw unreadable(`${file} can't be read: ${said.replace(/:$/, '')}.`, undefined, cause);
  }
}

/** What commands read from the working tree. */
const folders = ['argocd', 'cluster', 'helm', 'ingress', 'observability', 'standins'];

/**
 * Reads the checkout around `root`, and makes sure that Git put into the working tree what commands read there.
 *
 * @throws UsageError where there is none that can be used.
 */
export async function readWorkingTree(exec: Exec, root: string): Promise<Checkout> {
  const listing = readPaths(gitIn(exec, root, 'reading'), ['ls-files', '-t', '--stage', '-z', '--', ...folders]);
  // Where there is no checkout, the other one tells why.
  listing.catch(() => {});
  const checkout = await readCheckout(exec, root);
  const lacking: string[] = [];
  for (const entry of await listing) {
    const [, tag, mode, path = ''] = /^(\S) (\d+) [^\t]*\t(.*)$/s.exec(entry) ?? [];
    const found = lstatSync(join(root, path), { throwIfNoEntry: false });
    if (tag === 'S' && found === undefined) lacking.push(path);
    if (mode === '120000' && found?.isFile()) {
      throw new UsageError(`Git checked out the symbolic link ${path} as a file (core.symlinks is false).`, {
        id: 'clone-unfit',
        hint: `git config core.symlinks true && rm "${path}" && git checkout -- "${path}", for each such link; on Windows, clone within WSL.`,
      });
    }
  }
  const [first] = lacking;
  if (first !== undefined) {
    const lacked = folders.filter((folder) => lacking.some((path) => path.startsWith(`${folder}/`)));
    throw new UsageError(`This sparse checkout lacks ${first}, and commands read it from the working tree.`, {
      id: 'clone-unfit',
      hint: `git sparse-checkout add ${lacked.join(' ')}`,
    });
  }
  return checkout;
}
