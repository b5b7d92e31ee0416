import { lstat, readFile, readlink } from 'node:fs/promises';
import { join, posix } from 'node:path';
import type { TarEntry } from 'modern-tar';
import { UserError } from '../../lib/errors.ts';
import type { Exec } from '../../lib/exec.ts';
import { gitIn, literalPath, readPaths } from '../../lib/git/run.ts';

/**
 * What a commit of everything would hold below some folders (or of some files) of the working tree: tracked and new
 * files as they are now, none that Git ignores, and what their symbolic links lead to. Throws a `UserError` for a link
 * that leads out of the repository, which Argo CD refuses as well.
 */
export async function chartFiles(exec: Exec, top: string, folders: readonly string[]): Promise<TarEntry[]> {
  const files: TarEntry[] = [];
  const asked: string[] = [];
  for (let due = [...folders]; due.length > 0; ) {
    asked.push(...due);
    const found = await Promise.all((await listFiles(exec, top, due)).map((path) => readChartFile(top, path)));
    const present = found.filter((file) => file !== undefined);
    files.push(...present);
    const targets = present.flatMap(({ header: { name, linkname } }) =>
      linkname === undefined ? [] : [linkTarget(name, linkname)],
    );
    due = [...new Set(targets)].filter((target) => !asked.some((folder) => isWithin(target, folder)));
  }
  return files;
}

async function listFiles(exec: Exec, top: string, folders: readonly string[]): Promise<string[]> {
  const which = ['-z', '--cached', '--others', '--exclude-standard', '--deduplicate'];
  return readPaths(gitIn(exec, top, 'reading'), ['ls-files', ...which, '--', ...folders.map(literalPath)]);
}

/** Undefined for what was deleted but not committed yet, and for other repositories below this one. */
async function readChartFile(top: string, path: string): Promise<TarEntry | undefined> {
  const file = join(top, path);
  const found = await lstat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  });
  if (found?.isSymbolicLink())
    return { header: { name: path, type: 'symlink', size: 0, linkname: await readlink(file) } };
  if (!found?.isFile()) return undefined;
  const body = await readFile(file);
  // Of what was read, not of what was looked at: an editor may have saved it since.
  return { header: { name: path, size: body.length }, body };
}

function linkTarget(path: string, link: string): string {
  const target = posix.isAbsolute(link) ? '..' : posix.join(posix.dirname(path), link);
  if (target === '..' || target.startsWith('../')) {
    throw new UserError(`${path} is a symbolic link to ${link}, out of the repository, which Argo CD refuses.`, {
      id: 'link-outside',
      hint: 'Link to a file of the repository, or copy it there.',
    });
  }
  return target;
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}
