import { type DoctorCheck, gibibytes } from './check.ts';
import { dockerInfo, virtualMachineOf } from './docker.ts';

const needed = 3 * 2 ** 30;
const comfortable = 5 * 2 ** 30;

const remedies = {
  'Docker Desktop': 'Give Docker more memory: Docker Desktop, Settings, Resources, Memory limit: 6 GB.',
  Colima: 'Give Docker more memory: colima stop && colima start --memory 6.',
  none: 'Close other programs, or use a machine with more memory.',
} as const;

/** Docker has the memory that a cluster with Argo CD, Prometheus, Grafana and the services takes. */
export const checkMemory: DoctorCheck = async (context) => {
  const info = await dockerInfo(context);
  if (info === undefined) return [];
  const check = 'memory';
  const has = `Docker has ${gibibytes(info.MemTotal)} of memory`;
  if (info.MemTotal >= comfortable) return { check, level: 'ok', message: `${has}.` };
  const remedy = remedies[virtualMachineOf(info) ?? 'none'];
  return info.MemTotal < needed
    ? {
        check,
        errorId: 'memory',
        level: 'problem',
        message: `${has}, the platform needs ${gibibytes(needed)}.`,
        remedy,
      }
    : { check, level: 'warning', message: `${has}: it will do, but ${gibibytes(comfortable)} are better.`, remedy };
};
