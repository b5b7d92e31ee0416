import { readFile, statfs } from 'node:fs/promises';
import { release } from 'node:os';
import { compareVersions, parseVersion } from '../../config/versions.ts';
import { portHolder, probePort } from '../../lib/ports.ts';
import { type DockerInfo, type DoctorCheck, type DoctorFinding, ok, problem, warn } from './check.ts';

/** Bytes. The README says the same of memory. */
export const memory = { errorId: 'memory', needed: 3 * 2 ** 30, comfortable: 5 * 2 ** 30 };
const disk = { errorId: 'disk', needed: 3 * 2 ** 30, comfortable: 10 * 2 ** 30 };

const memoryRemedies = {
  'Docker Desktop': 'Give Docker more memory: Docker Desktop, Settings, Resources, Memory limit: 6 GB.',
  Colima: 'Give Docker more memory: colima stop && colima start --memory 6.',
  none: 'Close other programs, or use a machine with more memory.',
} as const;

/** Docker Desktop, Colima and their like: Docker runs in a virtual machine with limits of its own. */
function virtualMachineOf({ OperatingSystem, Name }: DockerInfo): keyof typeof memoryRemedies {
  if (OperatingSystem === 'Docker Desktop') return 'Docker Desktop';
  return Name.startsWith('colima') ? 'Colima' : 'none';
}

/** Docker has the memory that a cluster with Argo CD, Prometheus, Grafana and the services takes. */
export const checkMemory: DoctorCheck = async (_, dockerInfo) => {
  const info = await dockerInfo();
  if (info === undefined) return [];
  const has = `Docker has ${gibibytes(info.MemTotal)} of memory`;
  return judge(memory, info.MemTotal, has, memoryRemedies[virtualMachineOf(info)]);
};

/** The disk that holds Docker's images and containers has room, where that disk is one of this machine. */
export const checkDisk: DoctorCheck = async (_, dockerInfo) => {
  const info = await dockerInfo();
  if (info === undefined || virtualMachineOf(info) !== 'none') return [];
  // Where the folder isn't on this machine, Docker runs on another one.
  const found = await statfs(info.DockerRootDir).catch(() => undefined);
  return found === undefined ? [] : judgeDisk(found.bavail * found.bsize, info.DockerRootDir);
};

/** What so many free bytes mean. */
export function judgeDisk(free: number, folder: string): DoctorFinding {
  const remedy =
    'Make room, as a node evicts pods when its disk runs full: "docker system df" shows what Docker holds, "docker system prune" removes what is unused.';
  return judge(disk, free, `${gibibytes(free)} are free where Docker keeps its images (${folder})`, remedy);
}

function judge({ errorId, ...limits }: typeof memory, bytes: number, has: string, remedy: string): DoctorFinding {
  const [needed, comfortable] = [gibibytes(limits.needed), gibibytes(limits.comfortable)];
  if (bytes >= limits.comfortable) return ok(errorId, `${has}.`);
  if (bytes >= limits.needed)
    return warn(errorId, { message: `${has}: it will do, but ${comfortable} are better.`, remedy });
  return problem(errorId, { errorId, message: `${has}, the platform needs ${needed}.`, remedy });
}

/** `2.5 GiB`. */
function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

/**
 * The kubelet runs on this kernel's cgroups. From Kubernetes 1.35 on it refuses version 1 of them
 * (release notes of kind v0.31.0).
 */
export const checkCgroup: DoctorCheck = async ({ kubernetesVersion = '' }, dockerInfo) => {
  const info = await dockerInfo();
  const kubernetes = parseVersion(kubernetesVersion);
  if (info === undefined || kubernetes === undefined) return [];
  const refusesOld = compareVersions(kubernetes, { major: 1, minor: 35, patch: 0 }) >= 0;
  if (info.CgroupVersion !== '1' || !refusesOld)
    return ok('cgroup', `cgroup v${info.CgroupVersion} suits Kubernetes ${kubernetesVersion}.`);
  return problem('cgroup', {
    errorId: 'cgroup-v1',
    message: `Docker uses cgroup v1, which Kubernetes ${kubernetesVersion} no longer runs on.`,
    remedy:
      'Use a system with cgroup v2 (every current Linux; update Docker Desktop or Colima), or set KIND_NODE_IMAGE to a node image of Kubernetes 1.34. If your node image is configured to accept cgroup v1: --ignore-checks cgroup.',
  });
};

/**
 * The limits of fs.inotify below which pods fail with "too many open files", and what kind recommends
 * (https://kind.sigs.k8s.io/docs/user/known-issues/#pod-errors-due-to-too-many-open-files).
 */
const inotify = {
  max_user_instances: { minimum: 128, recommended: 512 },
  max_user_watches: { minimum: 65_536, recommended: 524_288 },
};

/** The kernel lets the node's programs watch enough files. The limits count only where Docker runs on this very kernel. */
export const checkInotify: DoctorCheck = async ({ platform = process.platform }, dockerInfo) => {
  const info = platform === 'linux' ? await dockerInfo() : undefined;
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
export function judgeInotify(limits: Record<keyof typeof inotify, number>): DoctorFinding {
  const low = (Object.keys(inotify) as (keyof typeof inotify)[]).filter((name) => limits[name] < inotify[name].minimum);
  if (low.length === 0) return ok('inotify', 'The limits for watching files (inotify) are high enough.');
  const values = low.map((name) => `fs.inotify.${name} is ${limits[name]}`).join(' and ');
  const settings = low.map((name) => `fs.inotify.${name}=${inotify[name].recommended}`).join(' ');
  return warn('inotify', {
    errorId: 'inotify',
    message: `${values}: pods may fail with "too many open files".`,
    remedy: `Raise it until the next start of the machine: sudo sysctl ${settings}; to keep it, put the same into /etc/sysctl.d/.`,
  });
}

/** The two ports that a browser reaches the platform at are free, unless the cluster holds them already. */
export const checkFreePorts: DoctorCheck = async ({ clusterExists, exec, ports }, dockerInfo) => {
  if (await clusterExists) return [];
  const checks = Object.entries({ HTTP_PORT: ports.http, HTTPS_PORT: ports.https }).map(async ([setting, port]) => {
    const check = `port ${port}`;
    const another = `set ${setting} in .env to a free port, for example ${port + 1000 <= 65535 ? port + 1000 : 8080}`;
    const state = await probePort(port);
    if (state === 'taken') {
      const holder = await portHolder(exec, port);
      return problem(check, {
        errorId: 'ports-taken',
        message: `Port ${port} of 127.0.0.1 is taken by ${holder?.who ?? 'another process'}.`,
        remedy: `${holder?.stop ?? 'Stop that process'}, or ${another}.`,
      });
    }
    // Docker opens the port, and usually runs as root: only a rootless one is as limited as this user is.
    if (state === 'forbidden' && (await dockerInfo())?.SecurityOptions?.some((one) => one.includes('rootless'))) {
      return problem(check, {
        errorId: 'ports-privileged',
        message: `Docker runs without root and may not open port ${port}, as it is below 1024.`,
        remedy: `Allow it (sudo sysctl net.ipv4.ip_unprivileged_port_start=${port}), or ${another}.`,
      });
    }
    return ok(check, `Port ${port} of 127.0.0.1 is free.`);
  });
  return Promise.all(checks);
};
