import { join } from 'node:path';
import { parseVersion } from '../../config/versions.ts';
import { messageOf, UsageError, type UserError } from '../../lib/errors.ts';
import { CommandError, type Exec } from '../../lib/exec.ts';
import type { RequestLimits } from '../../lib/http/download.ts';
import { DownloadError } from '../../lib/http/download-error.ts';
import { programsOnPath } from '../../lib/processes.ts';
import { findInstalled, installRelease } from './install.ts';
import { fillTemplate, type Machine, machineOf, type ToolName, type ToolSpec, toolSpecs } from './specs.ts';

export interface Tool {
  name: ToolName;
  /** Absolute. */
  path: string;
  version: string;
  /** `cache` is also a file that was fetched a moment ago. */
  source: 'path' | 'cache';
}

export interface Toolbox {
  /**
   * Where the tool is, in a supported version, fetching it where there is none. Asked again, it answers at once.
   * Throws `UsageError` where it can't be had, and `DownloadError` where what came is not what was published.
   */
  find(name: ToolName): Promise<Tool>;
}

export interface ToolboxSetup {
  exec: Exec;
  /** The PATH. */
  path: string;
  cacheDir: string;
  /** Of the cluster, for example `v1.36.4`: kubectl follows it. */
  kubernetesVersion: string;
  signal: AbortSignal;
  /** Called often while a tool is fetched. */
  onDownload?: (name: ToolName) => void;
  /** Fetch nothing: what is neither on the PATH nor in the cache is missing. */
  offline?: boolean;
  platform?: NodeJS.Platform;
  arch?: string;
  /** For tests: other addresses. */
  specs?: Record<ToolName, ToolSpec>;
  limits?: RequestLimits;
}

/** The way to the tools. Throws `UsageError` where `kubernetesVersion` is no version. */
export function createToolbox(setup: ToolboxSetup): Toolbox {
  const specs = setup.specs ?? toolSpecs(setup.kubernetesVersion);
  const asked = new Map<ToolName, Promise<Tool>>();
  return {
    find(name) {
      const known = asked.get(name);
      if (known !== undefined) return known;
      const search = findTool(specs[name], setup);
      asked.set(name, search);
      // A failure is not remembered: the network may be back the next time.
      search.catch(() => asked.delete(name));
      return search;
    },
  };
}

async function findTool(spec: ToolSpec, setup: ToolboxSetup): Promise<Tool> {
  const { name, version } = spec;
  const candidates = await candidatesOnPath(spec, setup.path, setup.exec);
  const usable = candidates.find(({ supported }) => supported);
  if (usable !== undefined) return { name, path: usable.path, version: usable.version ?? version, source: 'path' };

  const machine = machineOf(setup.platform ?? process.platform, setup.arch ?? process.arch);
  if (machine === undefined) {
    throw notAvailable({ spec, candidates, machine }, 'No file is published for this kind of machine.');
  }

  const folder = join(setup.cacheDir, 'tools', `${name}-${version}-${machine.os}-${machine.arch}`);
  const cached = await findInstalled(folder, name);
  if (cached !== undefined) return { name, path: cached, version, source: 'cache' };

  if (setup.offline) throw notAvailable({ spec, candidates, machine }, 'Nothing is to be fetched here.');
  try {
    const path = await installRelease({
      spec,
      machine,
      folder,
      exec: setup.exec,
      signal: setup.signal,
      limits: setup.limits ?? {},
      onProgress: () => setup.onDownload?.(name),
    });
    return { name, path, version, source: 'cache' };
  } catch (error) {
    const missing: MissingTool = { spec, candidates, machine };
    if (error instanceof CommandError) throw notAvailable(missing, firstLine(error), error);
    // You have to see that a file is not the published one, or that the disk is full.
    if (!(error instanceof DownloadError) || error.problem === 'checksum' || error.problem === 'storage') throw error;
    throw notAvailable(missing, error.message, error);
  }
}

interface MissingTool {
  spec: ToolSpec;
  candidates: readonly ToolCandidate[];
  machine: Machine | undefined;
}

function notAvailable({ spec, candidates, machine }: MissingTool, why: string, cause?: UserError): UsageError {
  const [other] = candidates;
  const found =
    other === undefined ? 'is not on the PATH' : `on the PATH is ${other.version ?? 'broken'} (${other.path}) instead`;
  const first = cause instanceof DownloadError ? `${cause.hint} Or install it` : 'Install it';
  const byHand = `by hand: brew install ${spec.brew}, or as its page says (${spec.page})`;
  const command = machine === undefined ? '' : `, or fetch it (curl -fLO ${fillTemplate(spec.url, spec, machine)})`;
  return new UsageError(`${spec.name} ${spec.supported} is needed: it ${found}, and it could not be fetched. ${why}`, {
    id: 'tool-missing',
    hint: `${first} ${byHand}${command}.`,
    cause,
  });
}

function firstLine(error: CommandError): string {
  return `${messageOf(error).split('\n')[0]}.`;
}

interface ToolCandidate {
  path: string;
  /** Nothing where the program doesn't run, or doesn't say. */
  version: string | undefined;
  supported: boolean;
}

/**
 * The first program on the PATH in a supported version, after all that were looked at before it. An older one in
 * front does not hide a newer one behind.
 */
async function candidatesOnPath(spec: ToolSpec, path: string, exec: Exec): Promise<ToolCandidate[]> {
  const candidates: ToolCandidate[] = [];
  for (const program of await programsOnPath(spec.name, path)) {
    const version = await versionOf(program, spec, exec);
    const parsed = version === undefined ? undefined : parseVersion(version);
    candidates.push({ path: program, version, supported: parsed !== undefined && spec.isSupported(parsed) });
    if (candidates.at(-1)?.supported) break;
  }
  return candidates;
}

async function versionOf(program: string, spec: ToolSpec, exec: Exec): Promise<string | undefined> {
  try {
    const { stdout, exitCode } = await exec([program, ...spec.versionArgs], {
      nothrow: true,
      timeout: 15_000,
      as: 'probe',
    });
    return exitCode === 0 ? spec.readVersion(stdout) : undefined;
  } catch (error) {
    // Too slow to say its version: too slow to be used.
    if (error instanceof CommandError) return undefined;
    throw error;
  }
}
