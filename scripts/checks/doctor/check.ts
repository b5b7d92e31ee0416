import type { PreflightCheckName } from '../../config/settings.ts';
import type { ToolName } from '../../kubernetes/tools/specs.ts';
import type { Toolbox } from '../../kubernetes/tools/toolbox.ts';
import type { UserError } from '../../lib/errors.ts';
import type { Exec } from '../../lib/exec.ts';

export interface DoctorFinding {
  /** What was looked at: `kubectl`, `port 8080`. */
  check: string;
  /** The name of the preflight check that looked, for `IGNORE_CHECKS`. */
  id?: PreflightCheckName;
  /** The failure that this is, as in `UserError`. */
  errorId?: string;
  level: 'ok' | 'warning' | 'problem';
  /** One sentence. */
  message: string;
  /** What to do about it. */
  remedy?: string;
  /** It was a problem, and `IGNORE_CHECKS` names the check. */
  ignored?: true;
}

export interface DoctorContext {
  exec: Exec;
  toolbox: Toolbox;
  /** The tools that the cluster takes. */
  tools: readonly ToolName[];
  ports: { http: number; https: number };
  /** The cluster holds its ports itself. */
  clusterExists: boolean | Promise<boolean>;
  /** Reads the checkout. Throws a `UserError` where it can't be used. */
  checkout: () => Promise<unknown>;
  platform?: NodeJS.Platform;
  /** The list of what is mounted where we run. Default: that of this process. */
  mounts?: string;
  /** Of the cluster that is to be, for example `v1.36.4`. Without it, what depends on it is not checked. */
  kubernetesVersion?: string;
  /** The checks whose problems are only warnings. */
  ignored?: readonly PreflightCheckName[];
}

/**
 * Looks at one thing on this machine, changes nothing, and doesn't throw for any state that is to be expected. Where Docker
 * doesn't answer, the check of Docker says so for all others.
 */
export type DoctorCheck = (
  context: DoctorContext,
  dockerInfo: () => Promise<DockerInfo | undefined>,
) => Promise<DoctorFinding | DoctorFinding[]>;

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
  /** Whether containers can be given limits, which without root takes controllers that systemd delegates. */
  MemoryLimit?: boolean;
  PidsLimit?: boolean;
  CPUShares?: boolean;
}

export function ok(check: string, message: string): DoctorFinding {
  return { check, level: 'ok', message };
}

/** What a check found wrong, in a sentence, and what to do about it. */
type Trouble = Required<Pick<DoctorFinding, 'message' | 'remedy'>> & Pick<DoctorFinding, 'errorId'>;

export function warn(check: string, trouble: Trouble): DoctorFinding {
  return { check, level: 'warning', ...trouble };
}

/** A problem has an id in docs/troubleshooting.md. */
export function problem(check: string, trouble: Required<Trouble>): DoctorFinding {
  return { check, level: 'problem', ...trouble };
}

/** An error as a finding. */
export function problemOf(check: string, { id, message, hint }: UserError): DoctorFinding {
  return {
    ...{ check, level: 'problem', message },
    ...(id !== undefined && { errorId: id }),
    ...(hint !== undefined && { remedy: hint }),
  };
}

const marks = { ok: '✔', warning: '!', problem: '✖' } as const;

/** A finding as text: what was found, and on a line of its own what to do about it. */
export function findingText({ level, message, remedy }: DoctorFinding): string {
  return `${marks[level]} ${message}${remedy === undefined ? '' : `\n  → ${remedy}`}`;
}

/** The first line that says something, without what ends a sentence. */
export function firstLine(text: string): string {
  const [line = ''] = text.trim().split('\n');
  return line.trim().replace(/[.?!]+$/, '');
}
