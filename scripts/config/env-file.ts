import { constants } from 'node:fs';
import { open, readdir, readFile, realpath, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { UserError } from '../lib/errors.ts';
import type { Exec } from '../lib/exec.ts';
import { isRunning } from '../lib/processes.ts';

/** What to write; undefined puts the setting back to its default. */
export type EnvChanges = Partial<Record<'GITHUB_TOKEN' | 'GHCR_CREDENTIALS', string | undefined>>;

const ownerOnly = 0o600;

/**
 * Changes settings in `.env` and leaves every other line as it is. A missing file is made from `.env.example`. It ends
 * up readable by its owner alone, and is whole at any moment: a crash leaves the old one. Throws a `UserError` where Git
 * would take the file into a commit, or where it can't be written.
 */
export async function saveSettings(exec: Exec, root: string, changes: EnvChanges): Promise<void> {
  if (changes.GITHUB_TOKEN !== undefined) await assertNotTracked(exec, root);
  // A person may keep the file elsewhere and have a link here, which shall stay one.
  const file = await realpath(join(root, '.env')).catch(() => join(root, '.env'));
  try {
    const before = (await readIfPresent(file)) ?? (await readIfPresent(join(root, '.env.example'))) ?? '';
    await replaceFile(file, withChanges(before, changes));
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT', 'EISDIR'].includes(code)) throw error;
    throw new UserError(`.env could not be written (${code}).`, {
      hint: `Make room, or make ${dirname(file)} writable; the file is as it was before.`,
      cause: error,
    });
  }
}

/** Makes sure that Git leaves `.env` alone. Where there is no repository, there is none to commit it into. */
async function assertNotTracked(exec: Exec, root: string): Promise<void> {
  const git = (...args: string[]) =>
    exec(['git', '-C', root, ...args], { nothrow: true, timeout: 20_000, env: { LC_ALL: 'C' } });
  const tracked = await git('ls-files', '--error-unmatch', '--', '.env');
  if (tracked.exitCode === 0) {
    throw new UserError('.env is in Git, so that a token in it would be published: nothing was saved.', {
      hint: 'git rm --cached .env && git commit -m "Keep .env out of Git"',
    });
  }
  if (tracked.exitCode > 1 && !/not a git repository/i.test(tracked.stderr) && tracked.exitCode !== 127) {
    const why = tracked.stderr.trim().split('\n')[0];
    throw new UserError(`Git can't tell whether it ignores .env: ${why}. Nothing was saved.`, { hint: 'git status' });
  }
  // The second name is that of the file while it is written.
  for (const name of ['.env', temporaryName()]) {
    const { exitCode } = await git('check-ignore', '--quiet', '--', name);
    if (exitCode === 1) {
      throw new UserError(`Git does not ignore ${name === '.env' ? name : '.env.*'}: nothing was saved.`, {
        hint: 'Put these two lines into .gitignore: .env and .env.*',
      });
    }
  }
}

/** The text with each setting on the line where it stood, commented out or not; one that had none comes last. */
function withChanges(text: string, changes: EnvChanges): string {
  const newline = text.includes('\r\n') ? '\r\n' : '\n';
  const lines = text.split(newline);
  if (lines.at(-1) === '') lines.pop();
  for (const [name, value] of Object.entries(changes)) {
    const set = lines.findIndex((line) => new RegExp(`^\\s*(export\\s+)?${name}\\s*=`).test(line));
    const at = set >= 0 || value === undefined ? set : lines.findIndex((line) => line.startsWith(`#${name}=`));
    if (at >= 0) lines[at] = value === undefined ? `#${name}=` : `${name}=${value}`;
    else if (value !== undefined) lines.push(`${name}=${value}`);
  }
  return `${lines.join(newline)}${newline}`;
}

/** Written beside it, made sure of on the disk, and put in its place in one step. */
async function replaceFile(file: string, text: string): Promise<void> {
  const folder = dirname(file);
  await removeLeftovers(folder);
  const temporary = join(folder, temporaryName());
  try {
    const handle = await open(temporary, 'wx', ownerOnly);
    try {
      // Whatever the umask made of it.
      await handle.chmod(ownerOnly);
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } finally {
    await rm(temporary, { force: true });
  }
  await syncFolder(folder);
}

function temporaryName(): string {
  return `.env.${process.pid}.tmp`;
}

/** What a process left behind that ended in the middle: it holds a token. */
async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const pid = Number(name.match(/^\.env\.(\d+)\.tmp$/)?.[1] ?? Number.NaN);
    if (!Number.isNaN(pid) && (pid === process.pid || !isRunning(pid, undefined)))
      await rm(join(folder, name), { force: true });
  }
}

/** The new name is part of the folder. Not every system lets a folder be opened. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY).catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

async function readIfPresent(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return undefined;
  }
}
