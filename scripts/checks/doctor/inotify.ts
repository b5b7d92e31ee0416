import { readFile } from 'node:fs/promises';
import { release } from 'node:os';
import type { DoctorCheck, DoctorFinding } from './check.ts';
import { dockerInfo } from './docker.ts';

/** What kind recommends (https://kind.sigs.k8s.io/docs/user/known-issues/#pod-errors-due-to-too-many-open-files). */
const recommended = { max_user_instances: 512, max_user_watches: 524_288 } as const;
const minimum = { max_user_instances: 128, max_user_watches: 65_536 } as const;

type Limits = Record<keyof typeof minimum, number>;

/**
 * The kernel lets the node's programs watch enough files. Below that, pods fail with "too many open files". The limits
 * are the kernel's, so they only count where Docker runs on this very kernel.
 */
export const checkInotify: DoctorCheck = async (context) => {
  if ((context.platform ?? process.platform) !== 'linux') return [];
  const info = await dockerInfo(context);
  if (info === undefined || info.KernelVersion !== release()) return [];
  const limits = await readLimits();
  return limits === undefined ? [] : judgeInotify(limits);
};

/** What such limits mean. */
export function judgeInotify(limits: Limits): DoctorFinding {
  const check = 'inotify';
  const names = Object.keys(minimum) as (keyof Limits)[];
  const low = names.filter((name) => limits[name] < minimum[name]);
  if (low.length === 0)
    return { check, level: 'ok', message: 'The limits for watching files (inotify) are high enough.' };
  const values = low.map((name) => `fs.inotify.${name} is ${limits[name]}`).join(' and ');
  const settings = low.map((name) => `fs.inotify.${name}=${recommended[name]}`).join(' ');
  return {
    check,
    level: 'warning',
    errorId: 'inotify',
    message: `${values}: pods may fail with "too many open files".`,
    remedy: `Raise it until the next start of the machine: sudo sysctl ${settings}; to keep it, put the same into /etc/sysctl.d/.`,
  };
}

async function readLimits(): Promise<Limits | undefined> {
  const read = async (name: keyof Limits) => Number(await readFile(`/proc/sys/fs/inotify/${name}`, 'utf8'));
  try {
    return {
      max_user_instances: await read('max_user_instances'),
      max_user_watches: await read('max_user_watches'),
    };
  } catch {
    return undefined;
  }
}
