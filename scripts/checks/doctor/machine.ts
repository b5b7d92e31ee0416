import { readFile, statfs } from 'node:fs/promises';
import { release } from 'node:os';
import { compareVersions, parseVersion } from '../../config/versions.ts';
import { portHolder, probePort } from '../../lib/ports.ts';
import { type DoctorCheck, type DoctorContext, type DoctorFinding, ok, problem, warn } from './check.ts';
import { dockerInfo, virtualMachineOf } from './docker.ts';

/** Bytes. The README says the same. */
export const memory = { needed: 3 * 2 ** 30, comfortable: 5 * 2 ** 30 };
const disk = { needed: 3 * 2 ** 30, comfortable: 10 * 2 ** 30 };

const memoryRemedies = {
  'Docker Desktop': 'Give Docker more memory: Docker Desktop, Settings, Resources, Memory limit: 6 GB.',
  Colima: 'Give Docker more memory: colima stop && colima start --memory 6.',
  none: 'Close other programs, or use a machine with more memory.',
} as const;

/** Docker has the memory that a cluster with Argo CD, Prometheus, Grafana and the services takes. */
export const checkMemory: DoctorCheck = async (context) => {
  const info = await dockerInfo(context);
  if (info === undefined) return [];
  const has = `Docker has ${gibibytes(info.MemTotal)} of memory`;
  if (info.MemTotal >= memory.comfortable) return ok('memory', `${has}.`);
  const remedy = memoryRemedies[virtualMachineOf(info) ?? 'none'];
  if (info.MemTotal >= memory.needed)
    return warn('memory', {
      message: `${has}: it will do, but ${gibibytes(memory.comfortable)} are better.`,
      remedy,
    });
  const message = `${has}, the platform needs ${gibibytes(memory.needed)}.`;
  return problem('memory', { errorId: 'memory', message, remedy });
};

/** The disk that holds Docker's images and containers has room, where that disk is one of this machine. */
export const checkDisk: DoctorCheck = async (context) => {
  const info = await dockerInfo(context);
  if (info === undefined || virtualMachineOf(info) !== undefined) return [];
  // Where the folder isn't on this machine, Docker runs on another one.
  const found = await statfs(info.DockerRootDir).catch(() => undefined);
  return found === undefined ? [] : judgeDisk(found.bavail * found.bsize, info.DockerRootDir);
};

/** What so many free bytes mean. */
export function judgeDisk(free: number, folder: string): DoctorFinding {
  const has = `${gibibytes(free)} are free where Docker keeps its images (${folder})`;
  if (free >= disk.comfortable) return ok('disk', `${has}.`);
  const remedy = 'Make room: "docker system df" shows what Docker holds, "docker system prune" removes what is unused.';
  if (free >= disk.needed)
    return warn('disk', { message: `${has}; a node evicts pods when its disk runs full.`, remedy });
  const message = `${has}, the platform needs ${gibibytes(disk.needed)}.`;
  return problem('disk', { errorId: 'disk', message, remedy });
}

/** `2.5 GiB`. */
function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

/**
 * The kubelet runs on this kernel's cgroups. From Kubernetes 1.35 on it refuses version 1 of them
 * (release notes of kind v0.31.0).
 */
export const checkCgroup: DoctorCheck = async (context) => {
  const info = await dockerInfo(context);
  const kubernetes = parseVersion(context.kubernetesVersion ?? '');
  if (info === undefined || kubernetes === undefined) return [];
  const refusesOld = compareVersions(kubernetes, { major: 1, minor: 35, patch: 0 }) >= 0;
  if (info.CgroupVersion !== '1' || !refusesOld)
    return ok('cgroup', `cgroup v${info.CgroupVersion} suits Kubernetes ${context.kubernetesVersion}.`);
  return problem('cgroup', {
    errorId: 'cgroup-v1',
    message: `Docker uses cgroup v1, which Kubernetes ${context.kubernetesVersion} no longer runs on.`,
    remedy:
      'Use a system with cgroup v2 (every current Linux; update Docker Desktop or Colima), or set KIND_NODE_IMAGE to a node image of Kubernetes 1.34. If your node image is configured to accept cgroup v1: --ignore-checks cgroup.',
  });
};

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
  const read = async (name: string) => Number(await readFile(`/proc/sys/fs/inotify/${name}`, 'utf8'));
  try {
    const [instances, watches] = await Promise.all([read('max_user_instances'), read('max_user_watches')]);
    return judgeInotify({ max_user_instances: instances, max_user_watches: watches });
  } catch {
    return [];
  }
};

/** What such limits mean. */
export function judgeInotify(limits: Limits): DoctorFinding {
  const low = (Object.keys(minimum) as (keyof Limits)[]).filter((name) => limits[name] < minimum[name]);
  if (low.length === 0) return ok('inotify', 'The limits for watching files (inotify) are high enough.');
  const values = low.map((name) => `fs.inotify.${name} is ${limits[name]}`).join(' and ');
  const settings = low.map((name) => `fs.inotify.${name}=${recommended[name]}`).join(' ');
  return warn('inotify', {
    errorId: 'inotify',
    message: `${values}: pods may fail with "too many open files".`,
    remedy: `Raise it until the next start of the machine: sudo sysctl ${settings}; to keep it, put the same into /etc/sysctl.d/.`,
  });
}

/** The two ports that a browser reaches the platform at are free, unless the cluster holds them already. */
export const checkFreePorts: DoctorCheck = async (context) => {
  if (await context.clusterExists) return [];
  const { http, https } = context.ports;
  return Promise.all([checkFreePort(context, 'HTTP_PORT', http), checkFreePort(context, 'HTTPS_PORT', https)]);
};

async function checkFreePort(context: DoctorContext, setting: string, port: number): Promise<DoctorFinding> {
  const check = `port ${port}`;
  const another = `set ${setting} in .env to a free port, for example ${port + 1000 <= 65535 ? port + 1000 : 8080}`;
  const state = await probePort(port);
  if (state === 'taken') {
    const holder = await portHolder(context.exec, port);
    return problem(check, {
      errorId: 'ports-taken',
      message: `Port ${port} of 127.0.0.1 is taken by ${holder?.who ?? 'another process'}.`,
      remedy: `${holder?.stop ?? 'Stop that process'}, or ${another}.`,
    });
  }
  // Docker opens the port, and usually runs as root: only a rootless one is as limited as this user is.
  if (state === 'forbidden' && (await dockerInfo(context))?.SecurityOptions?.some((one) => one.includes('rootless'))) {
    return problem(check, {
      errorId: 'ports-privileged',
      message: `Docker runs without root and may not open port ${port}, as it is below 1024.`,
      remedy: `Allow it (sudo sysctl net.ipv4.ip_unprivileged_port_start=${port}), or ${another}.`,
    });
  }
  return ok(check, `Port ${port} of 127.0.0.1 is free.`);
}
