import { constants } from 'node:fs';
import { access, realpath, stat } from 'node:fs/promises';
import { delimiter, resolve } from 'node:path';
import { parseVersion } from '../../config/versions.ts';
import { CommandError, type Exec } from '../../lib/exec.ts';
import type { ToolSpec } from './specs.ts';

export interface ToolCandidate {
  path: string;
  /** Nothing where the program doesn't run, or doesn't say. */
  version: string | undefined;
  supported: boolean;
}

/** Every program of that name on the PATH, as absolute paths in the PATH's order, each one once. */
export async function programsOnPath(name: string, path: string): Promise<string[]> {
  const found = new Map<string, string>();
  // An empty entry means the current folder: a program of a folder that someone happens to stand in is not trusted.
  for (const folder of path.split(delimiter).filter((entry) => entry !== '')) {
    const program = resolve(folder, name);
    try {
      await access(program, constants.X_OK);
      const real = await realpath(program);
      if ((await stat(real)).isFile() && !found.has(real)) found.set(real, program);
    } catch {
      // Not there, or not for us.
    }
  }
  return [...found.values()];
}

/**
 * The first program on the PATH in a supported version, after all that were looked at before it. An older one in
 * front does not hide a newer one behind.
 */
export async function candidatesOnPath(spec: ToolSpec, path: string, exec: Exec): Promise<ToolCandidate[]> {
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
