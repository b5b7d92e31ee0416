import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, UserError } from '../lib/errors.ts';

/** What is wrong with a file that can't be opened, by the code of Node's error, and how to mend it. */
const reasons: Readonly<Record<string, (file: string) => readonly [reason: string, hint: string]>> = {
  ENOENT: (file) => [
    'is not there, or is a link to nothing',
    `git checkout HEAD -- ${file} brings back what was committed.`,
  ],
  ENOTDIR: (file) => ['is not there', `git checkout HEAD -- ${file} brings it back.`],
  EISDIR: () => ['is a folder', 'A file has to be there.'],
  EACCES: (file) => ['may not be read', `chmod u+r ${file}`],
  ELOOP: () => ['is a link to itself', 'Replace it by the file.'],
};

/**
 * The text of a file of this repository, given from its top folder, so exact that writing it again changes no byte.
 * @throws UserError where it can't be read, or is not UTF-8.
 */
export async function readText(root: string, file: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(join(root, file));
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException;
    const [reason, hint] = reasons[code]?.(file) ?? [`can't be read (${code})`, 'npm run validate -- files'];
    throw unreadable(`${file} ${reason}.`, hint, cause);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw unreadable(`${file} can't be read as UTF-8, as YAML has to be.`, 'Save it as UTF-8 and commit.', cause);
  }
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
