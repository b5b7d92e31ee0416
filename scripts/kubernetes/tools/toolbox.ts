import { chmod, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { messageOf, UsageError, type UserError } from '../../lib/errors.ts';
import { CommandError, type Exec } from '../../lib/exec.ts';
import { writeWhole } from '../../lib/files.ts';
import { download, fetchText, type RequestLimits, removeAbandoned, sha256Of } from '../../lib/http/download.ts';
import { DownloadError, toDownloadError } from '../../lib/http/download-error.ts';
import { programsOnPath } from '../../lib/processes.ts';
import { shared } from '../../lib/tasks.ts';
import { fillTemplate, type Machine, machineOf, type ToolName, type ToolSpec, toolSpecs } from './specs.ts';

export interface Tool {
  name: ToolName;
  /** Absolute. */
  path: string;
  version: string;
  /** `cache` is also a file that was fetched a moment ago. */
  source: 'path' | 'cache';
}

export type Toolbox = ReturnType<typeof createToolbox>;

export interface ToolboxSetup {
  exec: Exec;
  /** The PATH. */
  path: string;
  cacheDir: string;
  /** Of the cluster, for example `v1.36.4`: kubectl follows it. */
  kubernetesVersion: string;
  signal: AbortSignal;
  /** Called before a tool is fetched. */
  onDownload?: (name: ToolName) => void;
  /** Fetch nothing: what is neither on the PATH nor in the cache is missing. */
  offline?: boolean;
  platform?: NodeJS.Platform;
  arch?: string;
  /** For tests: other addresses. */
  specs?: Record<ToolName, ToolSpec>;
  limits?: RequestLimits;
}

const workPrefix = '.installing-';

/** The way to the tools. Throws `UsageError` where `kubernetesVersion` is no version. */
export function createToolbox(setup: ToolboxSetup) {
  const specs = setup.specs ?? toolSpecs(setup.kubernetesVersion);
  const asked = new Map<ToolName, Promise<Tool>>();
  return {
    /**
     * Where the tool is, in a supported version, fetching it where there is none. Asked again, it answers at once.
     * Throws `UsageError` where it can't be had, and `DownloadError` where what came is not what was published.
     */
    find: (name: ToolName): Promise<Tool> => shared(asked, name, () => findTool(specs[name], setup)),
  };
}

async function findTool(spec: ToolSpec, setup: ToolboxSetup): Promise<Tool> {
  const { name, version } = spec;
  const { usable, other } = await lookOnPath(spec, setup);
  if (usable) return { name, ...usable, source: 'path' };

  const machine = machineOf(setup.platform ?? process.platform, setup.arch ?? process.arch);
  const missing = (why: string, cause?: UserError) => notAvailable(spec, machine, other, why, cause);
  if (machine === undefined) throw missing('No file is published for this kind of machine.');

  const folder = join(setup.cacheDir, 'tools', `${name}-${version}-${machine.os}-${machine.arch}`);
  const cached = await findInstalled(folder, name);
  if (cached !== undefined) return { name, path: cached, version, source: 'cache' };

  if (setup.offline) throw missing('Nothing is to be fetched here.');
  setup.onDownload?.(name);
  try {
    return { name, path: await installRelease(spec, machine, folder, setup), version, source: 'cache' };
  } catch (error) {
    if (error instanceof CommandError) throw missing(`${messageOf(error).split('\n')[0]}.`, error);
    // You have to see that a file is not the published one, or that the disk is full.
    if (!(error instanceof DownloadError) || error.problem === 'checksum' || error.problem === 'storage') throw error;
    throw missing(error.message, error);
  }
}

function notAvailable(
  spec: ToolSpec,
  machine: Machine | undefined,
  other: string | undefined,
  why: string,
  cause: UserError | undefined,
): UsageError {
  const found = other === undefined ? 'is not on the PATH' : `on the PATH is ${other} instead`;
  const first = cause instanceof DownloadError ? `${cause.hint} Or install it` : 'Install it';
  const byHand = `by hand: brew install ${spec.brew}, or as its page says (${spec.page})`;
  const command = machine === undefined ? '' : `, or fetch it (curl -fLO ${fillTemplate(spec.url, spec, machine)})`;
  return new UsageError(`${spec.name} ${spec.supported} is needed: it ${found}, and it could not be fetched. ${why}`, {
    id: 'tool-missing',
    hint: `${first} ${byHand}${command}.`,
    cause,
  });
}

/**
 * The first program on the PATH in a supported version: an older one in front does not hide a newer one behind. `other` is
 * the first that was passed over, with its version.
 */
async function lookOnPath(spec: ToolSpec, { path: folders, exec }: ToolboxSetup) {
  let other: string | undefined;
  for (const path of await programsOnPath(spec.name, folders)) {
    const version = await versionOf(path, spec, exec);
    if (version !== undefined && spec.isSupported(version)) return { usable: { path, version } };
    other ??= `${version ?? 'broken'} (${path})`;
  }
  return { other };
}

/** @returns undefined where the program doesn't run, or doesn't say. */
async function versionOf(program: string, spec: ToolSpec, exec: Exec): Promise<string | undefined> {
  const options = { nothrow: true, timeout: 15_000, as: 'probe' } as const;
  try {
    const { stdout, exitCode } = await exec([program, ...spec.versionArgs], options);
    return exitCode === 0 ? spec.prints.exec(stdout)?.[1] : undefined;
  } catch (error) {
    // Too slow to say its version: too slow to be used.
    if (error instanceof CommandError) return undefined;
    throw error;
  }
}

/** The installed tool, or nothing where it is missing or is not what was installed. */
async function findInstalled(folder: string, name: string): Promise<string | undefined> {
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
async function installRelease(
  spec: ToolSpec,
  machine: Machine,
  folder: string,
  { exec, signal, limits = {} }: ToolboxSetup,
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
