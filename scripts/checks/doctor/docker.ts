import { docker, isAtLeast } from '../../config/versions.ts';
import { CommandError } from '../../lib/exec.ts';
import { type DoctorCheck, type DoctorContext, firstLine, ok, problem, type Trouble } from './check.ts';

/** Docker answers, and is new enough for kind. */
export const checkDocker: DoctorCheck = async (context) => {
  const state = await dockerState(context);
  if ('trouble' in state) return problem('docker', state.trouble);
  const { ServerVersion, OperatingSystem } = state.info;
  if (!isAtLeast(ServerVersion, docker.minimum)) {
    return problem('docker', {
      errorId: 'docker-too-old',
      message: `Docker ${ServerVersion} is too old: kind needs ${docker.minimum} or newer.`,
      remedy: 'Update Docker: https://docs.docker.com/engine/install/.',
    });
  }
  return ok('docker', `Docker ${ServerVersion} answers (${OperatingSystem}).`);
};

/** What `docker info` tells and the checks use. */
interface DockerInfo {
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

type DockerState = { info: DockerInfo } | { trouble: Required<Trouble> };

const states = new WeakMap<DoctorContext, Promise<DockerState>>();

/** Asks Docker about itself, once for all checks of a run. */
function dockerState(context: DoctorContext): Promise<DockerState> {
  const known = states.get(context) ?? askDocker(context);
  states.set(context, known);
  return known;
}

/** What Docker says about itself, or nothing when it doesn't answer: the docker check reports that for all others. */
export async function dockerInfo(context: DoctorContext): Promise<DockerInfo | undefined> {
  const state = await dockerState(context);
  return 'info' in state ? state.info : undefined;
}

/** Docker Desktop, Colima and their like: Docker runs in a virtual machine with limits of its own. */
export function virtualMachineOf({ OperatingSystem, Name }: DockerInfo): 'Docker Desktop' | 'Colima' | undefined {
  if (OperatingSystem === 'Docker Desktop') return 'Docker Desktop';
  return Name.startsWith('colima') ? 'Colima' : undefined;
}

async function askDocker(context: DoctorContext): Promise<DockerState> {
  const { stdout, stderr, exitCode } = await context
    .exec(['docker', 'info', '--format', '{{json .}}'], { nothrow: true, timeout: 30_000 })
    .catch((error: unknown) => {
      if (error instanceof CommandError) return { stdout: '', stderr: 'it did not answer within 30 s', exitCode: 1 };
      throw error;
    });
  const info = parseInfo(stdout);
  // Older clients end with 0 and tell of a missing server only in here.
  const errors = info?.ServerErrors ?? [];
  if (info?.ServerVersion && errors.length === 0) return { info: info as DockerInfo };
  return { trouble: await findDockerProblem(context, exitCode, [stderr, ...errors].join('\n')) };
}

function parseInfo(stdout: string): (Partial<DockerInfo> & { ServerErrors?: string[] }) | undefined {
  try {
    return JSON.parse(stdout);
  } catch {
    return undefined;
  }
}

const notFound = 127;

const remedies = {
  mac: {
    install: 'Install Docker Desktop (https://docs.docker.com/desktop/) or Colima (brew install colima docker).',
    start: 'Start Docker Desktop (open -a Docker) or Colima (colima start).',
    permit: 'Restart Docker Desktop or Colima as this user.',
  },
  other: {
    install: 'Install Docker Engine: https://docs.docker.com/engine/install/.',
    start: 'Start it: sudo systemctl start docker, or Docker Desktop if that is what you use.',
    permit: 'Join the group docker, then log out and in again: sudo usermod -aG docker "$USER".',
  },
};

/** Tells apart what can be wrong, by how `docker info` ended and what it wrote. */
async function findDockerProblem(context: DoctorContext, exitCode: number, said: string): Promise<Required<Trouble>> {
  const { exec, platform = process.platform } = context;
  const remedy = remedies[platform === 'darwin' ? 'mac' : 'other'];
  if (exitCode === notFound)
    return {
      errorId: 'docker-missing',
      message: 'Docker is not installed, or not on the PATH.',
      remedy: remedy.install,
    };

  const why = firstLine(said.replace(/^(warning|deprecated)\b.*$/gim, ''));
  // As the child sees it, which is what counts.
  const host = (await exec(['printenv', 'DOCKER_HOST'], { nothrow: true })).stdout.trim();
  const isSocket = host === '' || host.startsWith('unix://');
  if (isSocket && /permission denied/i.test(said))
    return { errorId: 'docker-not-permitted', message: 'This user may not use Docker.', remedy: remedy.permit };
  const isSilent = /cannot connect|connection refused|no such file|is the docker daemon running/i.test(said);
  if (host !== '') {
    return {
      errorId: 'docker-host',
      message: isSilent
        ? `Docker does not answer at ${host}, where DOCKER_HOST points.`
        : `DOCKER_HOST points to ${host}, which does not work: ${why}.`,
      remedy: 'Start Docker there, or correct DOCKER_HOST, or unset it to use the Docker of this machine.',
    };
  }
  if (isSilent)
    return { errorId: 'docker-not-running', message: 'Docker is installed but not running.', remedy: remedy.start };
  return {
    errorId: 'docker-odd',
    message: `Docker does not answer as expected: ${why || 'it says nothing'}.`,
    remedy: 'Run "docker info" to see what is wrong.',
  };
}
