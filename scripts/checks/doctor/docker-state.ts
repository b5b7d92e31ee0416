import { CommandError } from '../../lib/exec.ts';
import type { CheckContext } from './check.ts';
import { dockerTrouble, type Trouble } from './docker-trouble.ts';

/** What `docker info` tells and the checks use. */
export interface DockerInfo {
  ServerVersion: string;
  /** Bytes. */
  MemTotal: number;
  DockerRootDir: string;
  OperatingSystem: string;
  KernelVersion: string;
  CgroupVersion: string;
  /** Host name of the machine that Docker runs on. */
  Name: string;
  SecurityOptions: readonly string[];
}

export type DockerState = { info: DockerInfo } | { trouble: Trouble };

const asked = new WeakMap<CheckContext, Promise<DockerState>>();

/** Asks Docker about itself, once for all checks of a run. */
export function dockerState(context: CheckContext): Promise<DockerState> {
  const known = asked.get(context) ?? askDocker(context);
  asked.set(context, known);
  return known;
}

/** What Docker says about itself, or nothing when it doesn't answer: the docker check reports that for all others. */
export async function dockerInfo(context: CheckContext): Promise<DockerInfo | undefined> {
  const state = await dockerState(context);
  return 'info' in state ? state.info : undefined;
}

/** Docker Desktop, Colima and their like: Docker runs in a virtual machine with limits of its own. */
export function virtualMachineOf({ OperatingSystem, Name }: DockerInfo): 'Docker Desktop' | 'Colima' | undefined {
  if (OperatingSystem === 'Docker Desktop') return 'Docker Desktop';
  return Name.startsWith('colima') ? 'Colima' : undefined;
}

async function askDocker(context: CheckContext): Promise<DockerState> {
  const { stdout, stderr, exitCode } = await context
    .exec(['docker', 'info', '--format', '{{json .}}'], { nothrow: true, timeout: 30_000 })
    .catch((error: unknown) => {
      if (error instanceof CommandError) return { stdout: '', stderr: 'it did not answer within 30 s', exitCode: 1 };
      throw error;
    });
  const info = parse(stdout);
  // Older clients end with 0 and tell of a missing server only in here.
  const errors = info?.ServerErrors ?? [];
  if (info?.ServerVersion && errors.length === 0) return { info: info as DockerInfo };
  return { trouble: await dockerTrouble(context, exitCode, [stderr, ...errors].join('\n')) };
}

function parse(stdout: string): (Partial<DockerInfo> & { ServerErrors?: string[] }) | undefined {
  try {
    return JSON.parse(stdout);
  } catch {
    return undefined;
  }
}
