import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { accessError, firstThere, UserError } from './errors.ts';
import { isRunning } from './processes.ts';

interface WriteOptions {
  /** Permissions of a new file, whatever the umask. Without it they are those that the umask leaves. */
  mode?: number;
  /** Keeps everybody but the owner from the file, also where it was open to others before. */
  ownerOnly?: boolean;
  /** Creates the file, and fails with EEXIST where there is one. A crash leaves a part of it. */
  exclusive?: boolean;
  /** Asked in the last moment; nothing is written where it says no. */
  onlyIf?: () => boolean;
}

/**
 * Writes a file whole or not at all: a reader, a crash, a power failure or a full disk finds the old content or the new one.
 * A link stays a link, an existing file keeps its mode, and its owner where the system lets us. Any number of processes may
 * write the same file at once. Synchronous, so that no second Ctrl-C ends this process in the middle.
 *
 * @throws a `UserError` where there is something else than a regular file, and what the system says of a failure.
 */
export function writeWhole(
  file: string,
  content: string | Uint8Array,
  { mode, ownerOnly = false, exclusive = false, onlyIf = () => true }: WriteOptions = {},
): void {
  const { path, known } = exclusive ? { path: file, known: undefined } : findRegularFile(file);
  if (!exclusive) removeLeftovers(path);
  const written = exclusive ? path : temporaryName(path);
  const wanted = known?.mode ?? mode ?? (ownerOnly ? 0o600 : undefined);
  const permissions = wanted === undefined ? undefined : wanted & (ownerOnly ? 0o700 : 0o777);
  const descriptor = fs.openSync(written, 'wx', permissions ?? 0o666);
  try {
    if (known) keepOwner(descriptor, known);
    if (permissions !== undefined) fs.fchmodSync(descriptor, permissions);
    fs.writeFileSync(descriptor, content);
    fs.fsyncSync(descriptor);
    if (!onlyIf()) {
      fs.rmSync(written);
      return;
    }
    if (!exclusive) replace(written, path);
  } catch (error) {
    fs.rmSync(written, { force: true });
    throw error;
  } finally {
    fs.closeSync(descriptor);
  }
  syncFolder(dirname(path));
}

/**
 * What a path leads to in the end, so that it can be replaced.
 *
 * @returns the path without links; `known` is undefined where no file is there yet.
 * @throws a `UserError` where it is a device, a pipe, a socket or a folder.
 */
export function findRegularFile(file: string): { path: string; known: fs.Stats | undefined } {
  const known = fs.statSync(file, { throwIfNoEntry: false });
  if (known === undefined) return { path: withoutLinks(file), known };
  if (known.isFile()) return { path: fs.realpathSync(file), known };
  throw notRegular(`${file} can't be written`, known);
}

/**
 * The text of a file, or of a named pipe, as `<(...)` of a shell is one. A device, such as /dev/zero, may have no end.
 *
 * @returns undefined where there is none.
 * @throws a `UserError` for anything else.
 */
export function readFileOrPipe(file: string): string | undefined {
  return readBytesOrPipe(file)?.toString('utf8');
}

/** The same as it stands there, in whatever encoding. */
export function readBytesOrPipe(file: string): Buffer | undefined {
  const known = fs.statSync(file, { throwIfNoEntry: false });
  if (known === undefined) return undefined;
  if (!known.isFile() && !known.isFIFO() && fs.realpathSync(file) !== '/dev/null')
    throw notRegular(`${file} can't be read`, known);
  return fs.readFileSync(file);
}

/** A name beside a file for what is to take its place; `removeLeftovers` knows by it whose it is. */
export function temporaryName(path: string): string {
  return `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
}

/** The names of that kind beside a file, with the process that each belongs to. */
export function temporariesOf(path: string): { path: string; pid: number }[] {
  const prefix = `${basename(path)}.`;
  return fs.readdirSync(dirname(path)).flatMap((name) => {
    const [, pid] = name.startsWith(prefix) ? (name.slice(prefix.length).match(/^(\d+)-[0-9a-f]{8}\.tmp$/) ?? []) : [];
    return pid === undefined ? [] : [{ path: join(dirname(path), name), pid: Number(pid) }];
  });
}

/** Removes what a process left behind that was killed while it wrote this file: it may hold a token. */
export function removeLeftovers(path: string): void {
  // We are not writing yet: one of our number is that of an earlier process.
  for (const { path: temporary, pid } of temporariesOf(path))
    if (pid === process.pid || !isRunning(pid, undefined)) fs.rmSync(temporary, { recursive: true, force: true });
}

/**
 * Gives the work a folder for temporary files, which only this user can look into and which is gone afterwards. Those of processes
 * that were killed go with it: there may be a login in them.
 */
export async function withTemporaryFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const base = join(tmpdir(), 'platform-ops');
  for (const { path, pid } of temporariesOf(base)) if (!isRunning(pid, undefined)) removeQuietly(path);
  const folder = temporaryName(base);
  fs.mkdirSync(folder, { mode: 0o700 });
  const remove = () => removeQuietly(folder);
  // A second Ctrl-C ends the process at once.
  process.on('exit', remove);
  try {
    return await work(folder);
  } finally {
    process.off('exit', remove);
    remove();
  }
}

/** Where a file is a mount of its own, as in a dev container, nothing can take its place: then it is written over. */
function replace(written: string, path: string): void {
  try {
    fs.renameSync(written, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
    fs.copyFileSync(written, path);
    fs.chmodSync(path, fs.statSync(written).mode);
    fs.rmSync(written);
  }
}

/** The error for the first of these that is there and may not be read and written by this user. */
export function findForbidden(paths: readonly string[]): UserError | undefined {
  for (const path of paths) {
    try {
      fs.accessSync(firstThere(path)[0], fs.constants.R_OK | fs.constants.W_OK);
    } catch (error) {
      return accessError(error);
    }
  }
  return undefined;
}

/** Another user's stays. */
function removeQuietly(path: string): void {
  try {
    fs.rmSync(path, { recursive: true, force: true });
  } catch {}
}

/** A path as it is read most easily: `~` in place of the home folder. */
export function homePath(path: string): string {
  const home = `${homedir()}/`;
  return path.startsWith(home) ? `~/${path.slice(home.length)}` : path;
}

/**
 * A path as seen from the current folder, where every command works: for tools that take a comma, a quote or a bracket in the path
 * of the checkout for a part of their own syntax.
 */
export function pathFromHere(path: string): string {
  return relative(process.cwd(), path);
}

/** Where a file would be made by writing through links that lead nowhere yet. */
function withoutLinks(file: string): string {
  const path = join(fs.realpathSync(dirname(file)), basename(file));
  return fs.lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()
    ? withoutLinks(resolve(dirname(path), fs.readlinkSync(path)))
    : path;
}

/** Root alone may give a file away: another user's file, in a checkout that several share, becomes ours. */
function keepOwner(descriptor: number, { uid, gid }: fs.Stats): void {
  try {
    fs.fchownSync(descriptor, uid, gid);
  } catch {}
}

/** The new name is part of the folder. Not every system lets a folder be opened: the file itself is on the disk by then. */
function syncFolder(folder: string): void {
  try {
    const descriptor = fs.openSync(folder, 'r');
    fs.fsyncSync(descriptor);
    fs.closeSync(descriptor);
  } catch {}
}

function notRegular(what: string, known: fs.Stats): UserError {
  const special = known.isFIFO() ? 'a named pipe' : known.isSocket() ? 'a socket' : 'a device';
  return new UserError(`${what}: it is ${known.isDirectory() ? 'a folder' : special}, not a regular file.`, {
    id: 'not-a-regular-file',
    hint: 'Replace it with a regular file, or with a link to one.',
  });
}
