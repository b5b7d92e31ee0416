import { lstat, readFile, readlink } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { UserError } from '../../lib/errors.ts';
import type { Exec } from '../../lib/exec.ts';

/** A file of the working tree, by its path from the top folder: its content, or where it leads as a symbolic link. */
export type ChartFile = { path: string } & ({ content: Uint8Array } | { link: string });

/**
 * What a commit of everything would hold below some folders (or of some files) of the working tree: tracked and new
 * files as they are now, none that Git ignores, and what their symbolic links lead to. Throws a `UserError` for a link
 * that leads out of the repository, which Argo CD refuses as well.
 */
export async function chartFiles(exec: Exec, top: string, folders: readonly string[]): Promise<ChartFile[]> {
  const files: ChartFile[] = [];
  const asked: string[] = [];
  for (let due = [...folders]; due.length > 0; ) {
    asked.push(...due);
    const found = await Promise.all((await listed(exec, top, due)).map((path) => read(top, path)));
    const present = found.filter((file) => file !== undefined);
    files.push(...present);
    const targets = present.flatMap((file) => ('link' in file ? [targetOf(file.path, file.link)] : []));
    due = [...new Set(targets)].filter((target) => !asked.some((folder) => isWithin(target, folder)));
  }
  return files;
}

async function listed(exec: Exec, top: string, folders: readonly string[]): Promise<string[]> {
  const which = ['-z', '--cached', '--others', '--exclude-standard', '--deduplicate'];
  const git = ['git', '-C', top, '--literal-pathspecs', 'ls-files'] as const;
  const { stdout } = await exec([...git, ...which, '--', ...folders], { timeout: 20_000 });
  return stdout.split('\0').filter((path) => path !== '');
}

/** Undefined for what was deleted but not committed yet, and for other repositories below this one. */
async function read(top: string, path: string): Promise<ChartFile | undefined> {
  const file = join(top, path);
  const found = await lstat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  });
  if (found?.isSymbolicLink()) return { path, link: await readlink(file) };
  return found?.isFile() ? { path, content: await readFile(file) } : undefined;
}

function targetOf(path: string, link: string): string {
  const target = posix.isAbsolute(link) ? '..' : posix.join(posix.dirname(path), link);
  if (target === '..' || target.startsWith('../')) {
    throw new UserError(`${path} is a symbolic link to ${link}, out of the repository, which Argo CD refuses.`, {
      hint: 'Link to a file of the repository, or copy it there.',
    });
  }
  return target;
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}
