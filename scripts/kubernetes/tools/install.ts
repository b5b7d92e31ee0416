import { chmod, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Exec } from '../../lib/exec.ts';
import { writeWhole } from '../../lib/files.ts';
import {
  type DownloadProgress,
  download,
  fetchText,
  type RequestLimits,
  removeAbandoned,
  sha256Of,
} from '../../lib/http/download.ts';
import { DownloadError, toDownloadError } from '../../lib/http/download-error.ts';
import { fillTemplate, type Machine, type ToolSpec } from './specs.ts';

const workPrefix = '.installing-';

/** What an installation needs to know. */
interface ToolInstallation {
  spec: ToolSpec;
  machine: Machine;
  /** The folder of this tool in this version. */
  folder: string;
  exec: Exec;
  signal: AbortSignal;
  limits: RequestLimits;
  onProgress: (progress: DownloadProgress) => void;
}

/** The installed tool, or nothing where it is missing or is not what was installed. */
export async function findInstalled(folder: string, name: string): Promise<string | undefined> {
  const path = join(folder, name);
  const recorded = await readFile(`${path}.sha256`, 'utf8').catch(() => undefined);
  return recorded !== undefined && recorded.trim() === (await sha256Of(path)) ? path : undefined;
}

/**
 * Fetches the release's file, checks it and installs the tool, together with its sha256, which every later use is checked against.
 * @throws DownloadError, or CommandError when it can't be unpacked; then nothing is kept.
 */
export async function installRelease(installation: ToolInstallation): Promise<string> {
  const { spec, machine, folder, exec, signal, limits, onProgress } = installation;
  const url = fillTemplate(spec.url, spec, machine);
  const sha256 = spec.sha256?.[`${machine.os}-${machine.arch}`] ?? (await publishedSha256(installation));
  const work = await makeWorkFolder(installation);
  try {
    const file = { cacheDir: work, fileName: basename(url) };
    const fetched = await download({ url, sha256, signal, ...limits, ...file, onProgress });
    const member = spec.member && fillTemplate(spec.member, spec, machine);
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

async function publishedSha256({ spec, machine, signal, limits }: ToolInstallation): Promise<string> {
  const url = fillTemplate(spec.checksumUrl, spec, machine);
  const text = await fetchText({ url, signal, ...limits });
  const sum = sumIn(text, basename(fillTemplate(spec.url, spec, machine)));
  if (sum !== undefined) return sum;
  throw new DownloadError(url, {
    problem: 'checksum',
    why: 'it holds no sha256',
    hint: 'Something on the way answered in place of the server: try from another network.',
  });
}

/** The sum of that file, of a list of sums with names, or the only one of a text. */
function sumIn(text: string, name: string): string | undefined {
  const lines = text.split('\n').filter((line) => /^[0-9a-f]{64}\b/i.test(line));
  const line =
    lines.find((each) => each.split(/[\s*]+/).at(-1) === name) ?? (lines.length === 1 ? lines[0] : undefined);
  return line?.slice(0, 64);
}

async function makeWorkFolder({ spec, machine, folder }: ToolInstallation): Promise<string> {
  try {
    await mkdir(folder, { recursive: true });
    await removeAbandoned(folder, (name) => name.startsWith(workPrefix));
    return await mkdtemp(join(folder, workPrefix));
  } catch (error) {
    throw toDownloadError(fillTemplate(spec.url, spec, machine), error);
  }
}
