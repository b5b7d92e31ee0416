import { chmod, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { writeWhole } from '../../lib/files.ts';
import { download, fetchText, removeAbandoned, sha256Of } from '../../lib/http/download.ts';
import { DownloadError, toDownloadError } from '../../lib/http/download-error.ts';
import { fillTemplate, type Machine, type ToolSpec } from './specs.ts';
import type { ToolboxSetup } from './toolbox.ts';

const workPrefix = '.installing-';

/** The installed tool, or nothing where it is missing or is not what was installed. */
export async function findInstalled(folder: string, name: string): Promise<string | undefined> {
  const path = join(folder, name);
  const recorded = await readFile(`${path}.sha256`, 'utf8').catch(() => undefined);
  return recorded !== undefined && recorded.trim() === (await sha256Of(path)) ? path : undefined;
}

/**
 * Fetches the release's file, checks it and installs the tool into this folder, together with its sha256, which every later use
 * is checked against.
 * @returns the tool's path.
 * @throws DownloadError, or CommandError when it can't be unpacked; then nothing is kept.
 */
export async function installRelease(
  spec: ToolSpec,
  machine: Machine,
  folder: string,
  { exec, signal, limits = {} }: Pick<ToolboxSetup, 'exec' | 'signal' | 'limits'>,
): Promise<string> {
  const fill = (template: string) => fillTemplate(template, spec, machine);
  const url = fill(spec.url);
  const request = { signal, ...limits };
  const sha256 =
    spec.sha256?.[`${machine.os}-${machine.arch}`] ??
    sumIn(await fetchText({ url: fill(spec.checksumUrl), ...request }), fill(spec.checksumUrl), basename(url));
  const work = await makeWorkFolder(folder).catch((error) => Promise.reject(toDownloadError(url, error)));
  try {
    const fetched = await download({ url, sha256, cacheDir: work, fileName: basename(url), ...request });
    const member = spec.member && fill(spec.member);
    if (member) await exec(['tar', '-xzf', fetched, '-C', work, member]);
    const program = member ? join(work, member) : fetched;
    await chmod(program, 0o755);
    const sum = await sha256Of(program);
    const path = join(folder, spec.name);
    await rename(program, path);
    // Last: without it, another process takes the tool for not installed yet.
    writeWhole(`${path}.sha256`, `${sum}\n`);
    return path;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The sum of that file, of a list of sums with names, or the only one of a text. Throws `DownloadError` where there is none. */
function sumIn(text: string, url: string, name: string): string {
  const lines = text.split('\n').filter((line) => /^[0-9a-f]{64}\b/i.test(line));
  const line =
    lines.find((each) => each.split(/[\s*]+/).at(-1) === name) ?? (lines.length === 1 ? lines[0] : undefined);
  if (line !== undefined) return line.slice(0, 64);
  throw new DownloadError(url, {
    problem: 'checksum',
    why: 'it holds no sha256',
    hint: 'Something on the way answered in place of the server: try from another network.',
  });
}

async function makeWorkFolder(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  await removeAbandoned(folder, (name) => name.startsWith(workPrefix));
  return mkdtemp(join(folder, workPrefix));
}
