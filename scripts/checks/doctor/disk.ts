import { statfs } from 'node:fs/promises';
import { type DoctorCheck, type DoctorFinding, gibibytes } from './check.ts';
import { dockerInfo, virtualMachineOf } from './docker.ts';

const needed = 3 * 2 ** 30;
const comfortable = 10 * 2 ** 30;

/** The disk that holds Docker's images and containers has room, where that disk is one of this machine. */
export const checkDisk: DoctorCheck = async (context) => {
  const info = await dockerInfo(context);
  if (info === undefined || virtualMachineOf(info) !== undefined) return [];
  const free = await freeBytes(info.DockerRootDir);
  return free === undefined ? [] : judgeDisk(free, info.DockerRootDir);
};

/** What so many free bytes mean. */
export function judgeDisk(free: number, folder: string): DoctorFinding {
  const check = 'disk';
  const has = `${gibibytes(free)} are free where Docker keeps its images (${folder})`;
  if (free >= comfortable) return { check, level: 'ok', message: `${has}.` };
  const remedy = 'Make room: "docker system df" shows what Docker holds, "docker system prune" removes what is unused.';
  return free < needed
    ? { check, errorId: 'disk', level: 'problem', message: `${has}, the platform needs ${gibibytes(needed)}.`, remedy }
    : { check, level: 'warning', message: `${has}; a node evicts pods when its disk runs full.`, remedy };
}

/** Nothing where the folder isn't on this machine: Docker then runs on another one. */
async function freeBytes(folder: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}
